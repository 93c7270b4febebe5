"""How long each shard of a store took its teacher, from which follows what a student's teacher cost.

The seconds of a unit are written beside the plan before its shard is there, with the hash that the shard will have, so
a kill loses those of the unit in flight alone; what finishes the plan moves them to `.times.json` in the store. That
file is none of the manifest's outputs and is not asked for: a store is the same, however long it took. It vouches for
itself: of one that is damaged nothing is known, as of a store that was imported, or made before this was written down.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rankdistill import files, locations, manifest, plain_json
from rankdistill.errors import BrokenFileError

FILE_NAME = ".times.json"

PREFIX = "seconds-"
"""Of the file of a unit, in the folder of the plan."""


def now() -> float:
    """Seconds on the clock that work is timed by."""
    return time.perf_counter()


def keep(plan: Path, shard: Path, seconds: float, written: Path) -> None:
    """Write down, in the folder `plan`, what a shard took and what it holds, before it is there.

    Args:
        plan: the folder.
        shard: where the shard will be.
        seconds: of work, see `now`.
        written: the file that becomes the shard.
    """
    kept = {"seconds": round(seconds, 3), "sha256": files.hash_file(written)}
    files.write_text(_kept(plan, shard), json.dumps(kept) + "\n")


def is_kept(plan: Path, shard: Path) -> bool:
    """Whether a shard was made for a plan that is not finished."""
    return locations.is_file(_kept(plan, shard))


def hash_of(plan: Path, shard: Path) -> str | None:
    """SHA-256 (hex) of a shard of an unfinished plan as it was written; None where nobody wrote it down."""
    path = _kept(plan, shard)
    kept = _read_kept(path) if locations.is_file(path) else None
    return str(kept["sha256"]) if isinstance(kept, dict) and "sha256" in kept else None


def _kept(plan: Path, shard: Path) -> Path:
    return plan / f"{PREFIX}{_unit(shard)}.json"


def settle(root: Path, teacher_id: str, plan: Path) -> None:
    """Take over what `keep` wrote of a plan that is done; call it while holding the store's lock.

    Args:
        root: the store.
        teacher_id: whose plan it is.
        plan: its folder, which may go then.
    """
    before = _read(root / FILE_NAME)
    found = {path.stem.removeprefix(PREFIX): _number(path) for path in locations.listing(plan, f"{PREFIX}*.json")}
    after = before | {teacher_id: {**before.get(teacher_id, {}), **found}}
    if after != before:
        seal(root / FILE_NAME, after)


def seconds_of(root: Path, teacher_id: str, shards: Iterable[Path]) -> float | None:
    """Seconds of work, added over the workers, that these shards of a teacher took; None where one of them is unknown.

    Loading the teacher is not in them.

    Args:
        root: the store.
        teacher_id: the teacher.
        shards: its shards.
    """
    known = _read(root / FILE_NAME).get(teacher_id, {})
    taken = [known.get(_unit(shard)) for shard in shards]
    return None if not taken or None in taken else round(sum(one for one in taken if one is not None), 3)


def _unit(shard: Path) -> str:
    """The digest of the unit that a shard is of: a repair may number it anew."""
    return shard.stem.rpartition("-")[2]


def _read(path: Path) -> dict[str, dict[str, float | None]]:
    """Teacher -> shard -> seconds; empty where there is no such file, or a damaged one: the store is whole without."""
    known = unseal(path)
    if not isinstance(known, dict) or not all(isinstance(of, dict) for of in known.values()):
        return {}
    return {teacher: {shard: _positive(taken) for shard, taken in of.items()} for teacher, of in known.items()}


def seal(path: Path, content: Any) -> None:
    """Write JSON beside its own hash, into a file that no manifest vouches for."""
    sealed = {"content": content, "sha256": manifest.digest(content)}
    files.write_text(path, json.dumps(sealed, indent=1, sort_keys=True) + "\n")


def unseal(path: Path) -> Any:
    """What `seal` wrote; None where there is no such file, or where a bit of it has changed."""
    if not locations.is_file(path):
        return None
    try:
        sealed = plain_json.read(path)
    except BrokenFileError:
        return None
    if not isinstance(sealed, dict) or sealed.keys() != {"content", "sha256"}:
        return None
    return sealed["content"] if manifest.digest(sealed["content"]) == sealed["sha256"] else None


def _number(path: Path) -> float | None:
    kept = _read_kept(path)
    return _positive(kept.get("seconds") if isinstance(kept, dict) else kept)


def _read_kept(path: Path) -> Any:
    """What `keep` wrote; versions before wrote the seconds alone. None of a damaged file."""
    try:
        return plain_json.read(path)
    except BrokenFileError:
        return None


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < float("inf") else None

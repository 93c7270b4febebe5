"""A plan: what is still to do, cut into numbered work units, on disk while the work lasts.

Unit `u` is row group `u` of `plan.parquet`. Each unit becomes one shard whose name has a digest of the unit's keys, so
the same plan gives the same shards, whoever works on it, and a resumed run continues the units of the interrupted one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, locations, plain_json, tables
from rankdistill.errors import LockedError, StoreError
from rankdistill.manifest import digest
from rankdistill.notes import tell
from rankdistill.stores.keys import unit_digest
from rankdistill.stores.shares import living_shares, lock_folder

PLAN_FILE, NOTE_FILE = "plan.parquet", "plan.json"

MARK_FILE = "unfinished"
"""Beside a plan from before it is made until it is done: without a plan it says that none was made to its end."""


@dataclass(frozen=True)
class Plan:
    """Work that is left to do.

    Args:
        path: `plan.parquet`; row group `u` is work unit `u`.
        wanted: unique items (pairs, texts) that were asked for.
        missing: items that were not stored when the plan was made.
        unit_size: items of a unit but the last.
        sizes: items of each unit.
        digests: one a unit, from the keys in it; its shard is named by it.
    """

    path: Path
    wanted: int
    missing: int
    unit_size: int
    sizes: tuple[int, ...]
    digests: tuple[str, ...]

    @property
    def units(self) -> int:
        """Number of work units."""
        return len(self.digests)

    def unit(self, number: int) -> pa.Table:
        """The rows of one work unit."""
        with tables.open_parquet(self.path) as plan:
            return plan.read_row_group(number)

    def items(self, units: Iterable[int]) -> int:
        """How many items these units have."""
        return sum(self.sizes[number] for number in units)

    def shard(self, shards: Path, number: int) -> Path:
        """Where, in the folder `shards`, the result of one unit lies once it is complete."""
        return shards / f"part-{number:06d}-{self.digests[number]}.parquet"

    def left(self, shards: Path) -> list[int]:
        """The units without a shard in the folder `shards`."""
        made = set(shard_files(shards))
        return [number for number in range(self.units) if self.shard(shards, number) not in made]


def shard_files(shards: Path) -> list[Path]:
    """The finished shards in a folder, sorted by name."""
    return locations.listing(shards, "part-*.parquet")


def read_plan(folder: Path) -> Plan | None:
    """The unfinished plan in `folder`, or None."""
    return _read(folder)[1]


def _read(folder: Path) -> tuple[dict[str, Any], Plan | None]:
    """What the plan in `folder` was asked for, and the plan."""
    note = _note(folder)
    if note is None:
        return {}, None
    counts = {name: note[name] for name in ("wanted", "missing", "unit_size")}
    sizes, digests = tuple(note["sizes"]), tuple(note["digests"])
    return note["asked"], Plan(folder / PLAN_FILE, **counts, sizes=sizes, digests=digests)


def _note(folder: Path) -> dict[str, Any] | None:
    """What `write_note` wrote; None where there is none, or it is damaged."""
    try:
        note = plain_json.loads((folder / NOTE_FILE).read_text(encoding="utf-8"))
        check = note.pop("check")
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return note if check == digest(note) else None


def is_current(folder: Path, plan: Plan) -> bool:
    """Whether `plan` is the one in `folder` still: another may have taken its place, and one that is done goes.

    Raises:
        StoreError: the plan there is damaged: nobody knows whose it is.
    """
    found = read_plan(folder)
    if found is None and locations.is_file(folder / NOTE_FILE):
        raise StoreError(
            expected=f"the plan {folder / NOTE_FILE} as it was written",
            got="other bytes: it was damaged meanwhile",
            consequence="the store is not finished; what was made is kept",
            remedy="run the same command again: it makes the plan again, of what has no shard yet",
        )
    return found == plan


def is_done(folder: Path, shards: Path) -> bool:
    """Whether nothing is left to do of what was planned in `folder`, if anything was.

    Args:
        folder: of the plan.
        shards: the folder of its shards.
    """
    plan = read_plan(folder)
    if plan is not None:
        return not plan.left(shards)
    return not any(locations.is_file(folder / name) for name in (MARK_FILE, NOTE_FILE))


@contextmanager
def marked(folder: Path) -> Iterator[None]:
    """What is planned inside counts as unfinished from its beginning; what fails leaves `folder` as it was marked.

    Call it while holding the store's lock.
    """
    mark = folder / MARK_FILE
    before = locations.is_file(mark)
    if not before:
        files.write_text(mark, "")
    try:
        yield
    except BaseException:
        if not before:
            mark.unlink(missing_ok=True)
        raise


def is_begun(folder: Path, asked: Mapping[str, Any]) -> bool:
    """Whether an unfinished plan for this lies in `folder`; see `take_up`."""
    earlier, plan = _read(folder)
    return plan is not None and earlier == asked


_WAIT = "wait for it to end, or give it the same inputs and unit size"


def take_up(folder: Path, asked: Mapping[str, Any], beside: Sequence[str] = ()) -> Plan | None:
    """The unfinished plan in `folder` if it is for the same; any other one is discarded, and so is a damaged one.

    Call it while holding the store's lock.

    Args:
        folder: of the plan.
        asked: what the plan is for, with the `unit_size` that was asked for, or None; JSON values.
        beside: files of the plan besides its units, as `write_note` got them.

    Raises:
        LockedError: another process works on a plan for something else.
    """
    earlier, plan = _read(folder)
    damaged = locations.is_file(folder / NOTE_FILE) and (plan is None or not _is_whole(folder, beside))
    if plan is not None and earlier == asked and not damaged:
        return plan
    if living := living_shares(folder):
        raise LockedError(
            expected=f"to be the only one who works on the plan {folder}",
            got=f"another process works on share {living[0]}, and the plan is damaged: it will be made good at its end"
            if plan is not None and earlier == asked
            else f"another process works on share {living[0]} of other candidates or texts, or with another unit size",
            consequence="nothing was written",
            remedy=("wait for it to end" if plan is not None and earlier == asked else _WAIT)
            + files.if_holder_is_dead(lock_folder(folder, living[0])),
        )
    if damaged:
        tell(f"the plan in {folder} is damaged: it is made again, of what has no shard yet")
    with files.output_errors(folder):
        for name in (NOTE_FILE, PLAN_FILE, *beside):
            (folder / name).unlink(missing_ok=True)
    return None


def _is_whole(folder: Path, beside: Iterable[str]) -> bool:
    """Whether the files of the plan are as they were written."""
    return all(hash_of(folder, name) == _hash(folder / name) is not None for name in (PLAN_FILE, *beside))


def hash_of(folder: Path, name: str) -> str | None:
    """SHA-256 (hex) of a file of the plan in `folder` as it was written; None where the plan does not tell."""
    note = _note(folder) or {}
    return note.get("units") if name == PLAN_FILE else note.get("beside", {}).get(name)


def _hash(path: Path) -> str | None:
    return files.hash_file(path) if locations.is_file(path) else None


def write_units(folder: Path, units: Iterable[pa.Table], schema: pa.Schema) -> tuple[list[int], list[str]]:
    """Write the units of a plan; their sizes and digests, which `write_note` takes.

    Args:
        folder: of the plan.
        units: none is empty.
        schema: their columns; one is `key`.
    """
    sizes, digests = [], []
    with (
        files.atomic_path(folder / PLAN_FILE) as temporary,
        pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer,
    ):
        for unit in units:
            writer.write_table(unit, row_group_size=len(unit))
            sizes.append(len(unit))
            digests.append(unit_digest(unit.column("key").to_pylist()))
    return sizes, digests


def write_note(
    folder: Path,
    asked: Mapping[str, Any],
    wanted: int,
    missing: int,
    unit_size: int,
    sizes: list[int],
    digests: list[str],
    beside: Sequence[str] = (),
) -> Plan:
    """Make the units in `folder` a plan; see `Plan` for the arguments, `take_up` for `asked`.

    `beside` names what else was written there: the plan is that of these files alone.
    """
    counts = {"wanted": wanted, "missing": missing, "unit_size": unit_size}
    units = files.hash_file(folder / PLAN_FILE)
    note = {"asked": dict(asked), **counts, "sizes": sizes, "digests": digests, "units": units}
    if beside:
        note["beside"] = {name: files.hash_file(folder / name) for name in beside}
    files.write_text(folder / NOTE_FILE, json.dumps(note | {"check": digest(note)}))
    return Plan(folder / PLAN_FILE, **counts, sizes=tuple(sizes), digests=tuple(digests))


def discard_plan(folder: Path) -> None:
    """Remove a plan that is done; a kill in between leaves one that is done, or none."""
    with files.output_errors(folder):
        for name in (MARK_FILE, NOTE_FILE):
            (folder / name).unlink(missing_ok=True)
        files.remove_folder(folder)


def regroup(chunks: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `size` rows, the last one shorter."""
    held: pa.Table | None = None
    for chunk in chunks:
        held = chunk if held is None else pa.concat_tables([held, chunk])
        whole = len(held) - len(held) % size
        for start in range(0, whole, size):
            yield held.slice(start, size)
        held = held.slice(whole).combine_chunks()
    if held is not None and len(held):
        yield held

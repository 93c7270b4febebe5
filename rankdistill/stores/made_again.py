"""Shards that take the place of lost or damaged ones: named by what is in them, though their bytes may be others.

A score or a vector differs in its last bits from one processor or library to another, and so does a Parquet file of
equal rows. What was lost and made again is known by its unit, the digest of the keys that the name of a shard ends
with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rankdistill import integrity, locations
from rankdistill.manifest import Manifest
from rankdistill.notes import note
from rankdistill.stores.broken import require_shard
from rankdistill.stores.plan import read_plan

TOLD = 5
"""Shards that are named one by one."""


def unit_of(name: str) -> tuple[str, str]:
    """The folder of a shard in its store, and the digest of the keys in it.

    Args:
        name: of the shard, in the store.
    """
    folder, _, file = name.rpartition("/")
    return folder, Path(file).stem.rpartition("-")[2]


def vouch_for_planned(root: Path, plan: Path, shards: Path, earlier: Manifest | None) -> None:
    """Note the shards that an unfinished plan has made in place of lost ones, where they have other bytes.

    They are read as what they are from then on, and go into the next manifest. A plan has only what had no shard when
    it was made. Call it while holding the store's lock.

    Args:
        root: the folder of the store.
        plan: the folder of the plan; nothing is noted where there is none.
        shards: the folder of its shards.
        earlier: the manifest until now.

    Raises:
        DamagedError: such a shard is damaged.
    """
    if earlier is None or (planned := read_plan(plan)) is None:
        return
    known = {*earlier.outputs, *integrity.noted(root)}
    paths = [planned.shard(shards, number) for number in range(planned.units)]
    vouch_for(root, [path for path in paths if path.relative_to(root).as_posix() in known], earlier, plan)


def vouch_for(root: Path, paths: Iterable[Path], earlier: Manifest | None, plan: Path | None = None) -> None:
    """Note shards that were made again, where they have other bytes than `earlier` says; DamagedError if damaged.

    Args:
        root: the folder of the store.
        paths: of the shards.
        earlier: the manifest until now.
        plan: the folder of the plan that made them.
    """
    for path in paths:
        one = integrity.Recorded(root, path.relative_to(root).as_posix(), earlier)
        if one.known and locations.is_file(path) and one.state(whole=True) != "whole":
            require_shard(path, plan)
            integrity.note_made_again(path, root)


def tell_others(root: Path, earlier: Manifest | None, outputs: Mapping[str, str]) -> None:
    """Tell which shards have other bytes in a manifest than those with the same keys in the one before it.

    Args:
        root: the folder of the store.
        earlier: the manifest before.
        outputs: of the manifest now.
    """
    before = {unit_of(name): content for name, content in (earlier.outputs if earlier else {}).items()}
    others = [name for name, content in outputs.items() if before.get(unit_of(name), content) != content]
    others = sorted(name for name in others if Path(name).name.startswith("part-"))
    if others:
        more = f" and {len(others) - TOLD:,} more" if len(others) > TOLD else ""
        note(
            f"{root}: made again with other bytes than before: {', '.join(others[:TOLD])}{more}; numbers differ in "
            "their last bits from one processor or library to another, and so may files of the same rows"
        )

"""Shards that no manifest vouches for yet: those of a run that was interrupted may have been damaged since.

Their plan has the hash of each, since before it was there. Of those without one (an import, a version before) their
pages have checksums, and their name ends with the digest of the keys in them. One that does not agree is removed, and
the same command makes it again. Shards that a manifest names are compared with it, and never removed here; an object
store compares what it holds itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rankdistill import files, integrity, locations, manifest, tables
from rankdistill.errors import DamagedError, DataError, RankdistillError
from rankdistill.notes import note
from rankdistill.stores import times
from rankdistill.stores.keys import KEY_BYTES, unit_hasher
from rankdistill.stores.plan import Plan, shard_files


def unnamed(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` that neither the manifest of the store in `root` nor its notes name."""
    if not (paths := [*paths]):
        return []
    made = manifest.read(root)
    known = {*(made.outputs if made else ()), *integrity.noted(root)}
    return [path for path in paths if path.relative_to(root).as_posix() not in known]


def require_shard(path: Path, plan: Path | None = None) -> None:
    """Read a shard as a whole.

    Args:
        path: of the shard.
        plan: the folder of the plan that it was made for, which may be gone.

    Raises:
        DamagedError: it is cut off, a page does not have its checksum, or it has other keys than its name tells; or it
            is not what its plan has.
    """
    written = times.hash_of(plan, path) if plan is not None else None
    if written is None:
        found = _wrong_keys(path)
    else:
        found = "" if integrity.hash_of(path) == written else "other bytes: it was damaged or changed"
    if found:
        raise DamagedError(
            expected=f"a whole Parquet file at {path}",
            got=found,
            consequence="the store is not finished with it",
            remedy="remove that file and run the same `rankdistill score`, `embed` or `import` again: it makes it anew",
        )


def _wrong_keys(path: Path) -> str:
    """What is wrong with the pages or the keys of a shard; empty where nothing is."""
    hasher = unit_hasher()
    try:
        with tables.open_parquet(path, checked=False) as file:
            for batch in file.iter_batches():
                keys = batch.column("key")
                start = KEY_BYTES * keys.offset
                hasher.update(memoryview(keys.buffers()[1])[start : start + KEY_BYTES * len(keys)])
    except DataError as error:
        return error.got
    except (RankdistillError, MemoryError):
        raise
    except Exception as error:  # whatever pyarrow makes of a damaged footer, which has no checksum
        if getattr(error, "errno", None):
            raise
        return f"{type(error).__name__}: {error}"
    return "" if path.stem.endswith(f"-{hasher.hexdigest()}") else "keys of other rows than its name tells"


def is_whole(path: Path) -> bool:
    """Whether a shard that no manifest names is there and whole; in an object store whether it is there."""
    if not locations.is_file(path):
        return False
    try:
        if locations.is_local(path):
            require_shard(path)
    except DamagedError:
        return False
    return True


def remove_broken(root: Path, paths: Iterable[Path], plan: Path) -> list[Path]:
    """Remove the shards among `paths` that no manifest names and that are not whole, each with a note; those removed.

    Args:
        root: the folder of the store.
        paths: shards that are there.
        plan: the folder of their plan.

    Raises:
        DamagedError: one is not whole, and no unfinished plan made it: nobody knows whether the same command does.
    """
    wrong = []
    for path in unnamed(root, paths):
        try:
            if locations.is_local(path):
                require_shard(path, plan)
        except DamagedError:
            if not times.is_kept(plan, path):
                raise
            wrong.append(path)
    for path in wrong:
        with files.output_errors(path):
            path.unlink(missing_ok=True)
        note(f"{path} was damaged since it was written: it was removed, and is made again")
    return wrong


def remove_broken_of(root: Path, plan: Plan, shards: Path, units: Iterable[int]) -> None:
    """Remove the broken shards of some units of a plan that is taken up; see `remove_broken`.

    Args:
        root: the folder of the store.
        plan: that was taken up.
        shards: the folder of its shards.
        units: those that the caller alone writes.
    """
    there = {*shard_files(shards)}
    planned = (plan.shard(shards, number) for number in units)
    remove_broken(root, [path for path in planned if path in there], plan.path.parent)


def remove_all_broken(root: Path, shards: Path, plan: Path, lock_wait: float) -> None:
    """Remove every broken shard in a folder before a new plan is made; see `remove_broken`.

    Args:
        root: the folder of the store.
        shards: the folder.
        plan: the folder of their plan.
        lock_wait: seconds to wait for the store's lock.

    Raises:
        LockedError: another process held the store's lock for too long.
    """
    if locations.is_local(root) and unnamed(root, shard_files(shards)):
        with files.exclusive(root, lock_wait):
            remove_broken(root, shard_files(shards), plan)


def require_new(root: Path, paths: Iterable[Path], plans: Mapping[Path, Path]) -> None:
    """Read the Parquet files that are about to come into a manifest; broken shards that a plan brings back are removed.

    Args:
        root: the folder of the store, whose lock is held.
        paths: files whose bytes its manifest does not tell.
        plans: folder of shards -> the folder of their plan.

    Raises:
        DamagedError: some were not whole.
    """
    paths = [path for path in paths if path.suffix == ".parquet"]
    brought_back = [path for path in unnamed(root, paths) if path.parent in plans and locations.is_local(path)]
    wrong: list[Path] = []
    for shards, plan in plans.items():  # the manifest is read once a teacher, not once a shard
        wrong += remove_broken(root, [path for path in brought_back if path.parent == shards], plan)
    if wrong:
        raise DamagedError(
            expected="every shard of this run and of those that it took up as it was written",
            got=f"{len(wrong)} that were damaged since, as {wrong[0]}",
            consequence="the store is not finished; they were removed, and everything else is kept",
            remedy="run the same command again: it makes these alone",
        )
    for path in {*paths} - {*brought_back}:
        if path.name.startswith("part-"):
            require_shard(path, plans.get(path.parent))
        else:
            require_pages(root, path)


def require_pages(root: Path, path: Path) -> None:
    """Read a file besides shards that no manifest names yet.

    Raises:
        DamagedError: it is cut off, or a page does not have its checksum.
    """
    with written_anew(root, path):
        tables.require_pages(path)


@contextmanager
def written_anew(root: Path, path: Path) -> Iterator[None]:
    """Where reading `path` finds it broken and the manifest of `root` does not name it: say that it can be made again.

    Raises:
        DamagedError: it is broken.
    """
    try:
        yield
    except DamagedError:
        raise
    except (DataError, OSError, ValueError) as error:  # pyarrow's are of the last two
        if getattr(error, "errno", None) or not locations.is_local(path) or not unnamed(root, [path]):
            raise
        raise DamagedError(
            expected=f"a whole Parquet file at {path}",
            got=error.got if isinstance(error, DataError) else str(error),
            consequence="nothing was added to the store; its shards are kept",
            remedy="remove that file and run the same command again: it writes it anew",
        ) from error

"""Making a folder, or keeping it: what is there whole is not made again, and the manifest comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rankdistill import files, integrity, locations, manifest
from rankdistill.errors import DataError
from rankdistill.manifest import Manifest
from rankdistill.notes import note, tell


@dataclass
class Making:
    """A folder that is being made, or that was there already.

    Args:
        folder: where it lies.
        manifest: what it gets once it is made.
        current: whether it is there already, so that nothing is to be done.
    """

    folder: Path
    manifest: Manifest
    current: bool

    def wrote(self, paths: Iterable[Path] | None = None) -> None:
        """Name outputs in the manifest, with the hashes that they have now.

        Args:
            paths: files inside the folder; all that it holds unless given, but those whose names begin with a dot.
        """
        if paths is None:
            paths = visible_files(self.folder)
        outputs = {path.relative_to(self.folder).as_posix(): integrity.hash_of(path) for path in paths}
        self.manifest = replace(self.manifest, outputs=outputs)


@contextmanager
def making(
    out: Path,
    wanted: Manifest,
    *,
    check: Callable[[], object] | None = None,
    part: bool = False,
    again: bool | None = True,
) -> Iterator[Making]:
    """Within the block the folder `out` is made, unless it holds exactly `wanted` already; see `Making.current`.

    It is held against other writers, and cleared of what killed ones left: temporaries of processes that are dead, as
    another artefact may lie, and be in the making, somewhere below. A block that ends well leaves the manifest; one
    that raises leaves none. Who waited for another process looks again. That nothing was to do is told. What is there
    but damaged is made again, and that is noted.

    Args:
        out: the folder; created where it is made.
        wanted: the manifest that it is to have; the block may name the outputs, see `Making.wrote`.
        check: called before the folder is created and locked, unless it is there already; what it raises leaves nothing
            behind.
        part: of a folder whose lock is held: no lock of its own, and nothing is told. One whose manifest is damaged is
            made again too, as what belongs to it is known.
        again: whether what is damaged may be made again; a user may have changed a collection on purpose. None: the
            caller compares the files by itself.

    Raises:
        DamagedError: a file of what is there is missing or damaged, and it is not to be made again.
        StaleOutputError: `out` holds another artefact.
        LockedError: another process writes to it.
        DataError: its manifest cannot be read, and it is no part that may be made again.
        OutputError: it cannot be written to.
    """
    with ExitStack() as held:
        if part and again:
            _drop_unreadable(out)
        locked, current = False, manifest.is_current(out, wanted)
        if not current:
            if check is not None:
                check()
            if part:
                files.make_folder(out)
            else:
                held.enter_context(files.exclusive(out))
                locked, current = True, manifest.is_current(out, wanted)
        if current and again is not None and (wrong := _first_wrong(out)) is not None:
            one, state = wrong
            if not again:
                raise one.error(state)
            if not part and not locked:
                held.enter_context(files.exclusive(out))
            note(f"{one.path} is {state}: {out} is made again")
            _drop_manifests(out)
            current = False
        if not part:
            if current:
                tell(f"{out} is up to date")
            else:
                files.remove_temporaries(out, keep_living=True)
        made = Making(out, wanted, current)
        yield made
        if not current:
            made.manifest.write(out)


CHECKPOINTS, GENERATING, REWRITING = "checkpoints", ".generating", ".rewriting"
"""Folders in an artefact in which its making keeps what is done so far; they go once the manifest is there."""

KEPT = ".kept"
"""The file in such a folder that is to stay."""


def is_cleared(out: Path) -> bool:
    """Whether the finished artefact in `out` is without the folders that its making worked in.

    A kill between the manifest and the end of their removal leaves them; the same call that made it removes them.
    """
    left = (out / name for name in (CHECKPOINTS, GENERATING, REWRITING))
    return not any(one.is_dir() and not (one / KEPT).is_file() for one in left)


def is_whole_part(out: Path, wanted: Manifest) -> bool:
    """Whether `making` has nothing to do for the part `out`; raises StaleOutputError where another one lies there."""
    _drop_unreadable(out)
    return manifest.is_current(out, wanted) and _first_wrong(out) is None


def _drop_unreadable(part: Path) -> None:
    """Remove the manifest of a part if it is one of ours and damaged, so that the part counts as not made."""
    path = part / manifest.FILE_NAME
    try:
        manifest.read(part)
    except DataError:
        if not integrity.is_ours(path):
            raise
        note(f"{path} is damaged: {part} is made again")
        path.unlink()


def _drop_manifests(out: Path) -> None:
    """Remove the manifest of a damaged artefact, and first those of its parts that are not what they were."""
    made = manifest.read(out)
    assert made is not None
    for name in made.outputs:
        one = integrity.Recorded(out, name, made)
        if one.path.name == manifest.FILE_NAME and one.state() == "damaged":
            one.path.unlink()
    (out / manifest.FILE_NAME).unlink()


def _first_wrong(out: Path) -> tuple[integrity.Recorded, integrity.State] | None:
    """The first file that is missing or damaged of the finished artefact in `out`."""
    made = manifest.read(out)
    return None if made is None or not locations.is_local(out) else integrity.first_wrong(out, made)


def visible_files(folder: Path) -> list[Path]:
    """Every file in `folder` and below whose name does not begin with a dot, in order."""
    return [path for path in locations.all_files(folder) if not path.name.startswith(".")]

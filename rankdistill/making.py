"""Making a folder, or keeping it: what is there already is not made again, and the manifest comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rankdistill import files, manifest
from rankdistill.manifest import Manifest
from rankdistill.notes import tell


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
        outputs = {path.relative_to(self.folder).as_posix(): files.hash_file(path) for path in paths}
        self.manifest = replace(self.manifest, outputs=outputs)


@contextmanager
def making(
    out: Path, wanted: Manifest, *, check: Callable[[], object] | None = None, part: bool = False
) -> Iterator[Making]:
    """Within the block the folder `out` is made, unless it holds exactly `wanted` already; see `Making.current`.

    It is held against other writers, and cleared of what killed ones left: temporaries of processes that are dead, as
    another artefact may lie, and be in the making, somewhere below. A block that ends well leaves the manifest; one
    that raises leaves none. Who waited for another process looks again. That nothing was to do is told.

    Args:
        out: the folder; created where it is made.
        wanted: the manifest that it is to have; the block may name the outputs, see `Making.wrote`.
        check: called before the folder is created and locked, unless it is there already; what it raises leaves nothing
            behind.
        part: of a folder whose lock is held: no lock of its own, and nothing is told.

    Raises:
        StaleOutputError: `out` holds another artefact.
        LockedError: another process writes to it.
        DataError: its manifest cannot be read.
        OutputError: it cannot be written to.
    """
    with ExitStack() as held:
        current = manifest.is_current(out, wanted)
        if not current:
            if check is not None:
                check()
            if part:
                files.make_folder(out)
            else:
                held.enter_context(files.exclusive(out))
                current = manifest.is_current(out, wanted)
        if not part:
            if current:
                tell(f"{out} is up to date")
            else:
                files.remove_temporaries(out, keep_living=True)
        made = Making(out, wanted, current)
        yield made
        if not current:
            made.manifest.write(out)


def visible_files(folder: Path) -> list[Path]:
    """Every file in `folder` and below whose name does not begin with a dot, in order."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]

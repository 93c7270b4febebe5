"""Models exported for a back end, kept in a folder of this user: made on first use, used by every later process.

The place is `$RANKDISTILL_CACHE`, else `$XDG_CACHE_HOME/rankdistill`, else `~/.cache/rankdistill`. An entry is a folder
whose manifest is written last and names the hash of every file; what is unfinished or damaged is made anew. Remove
entries, or all of them, at will.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rankdistill import files, locations, manifest
from rankdistill.errors import DataError, OutputError
from rankdistill.locations import cache_folder
from rankdistill.manifest import Manifest

logger = logging.getLogger(__name__)

ARTEFACT = "export"
FORMAT = 1
"""Raise it when the same model is exported in another way."""

LOCK_WAIT = 1800.0
"""Seconds to wait for another process that exports the same model."""


@contextmanager
def exported(
    backend: str, identity: Mapping[str, Any], libraries: Sequence[str], build: Callable[[Path], None]
) -> Iterator[Path]:
    """The folder with what `build` makes of a model: from the cache, or made now and kept there.

    Where the cache cannot be written to, the folder is a temporary one that goes when the context ends.

    Args:
        backend: for which back end.
        identity: what the export depends on: weights, maximum length, calibration; JSON values.
        libraries: those whose versions it depends on.
        build: writes the files into the given, empty folder.
    """
    parameters = {"backend": backend, "format": FORMAT, "libraries": manifest.versions_of(*libraries), **identity}
    wanted = Manifest(ARTEFACT, parameters=parameters)
    folder = cache_folder() / "exports" / f"{backend}-{wanted.identity[:32]}"
    if not _is_whole(folder, wanted):
        try:
            with files.exclusive(folder, LOCK_WAIT):
                if not _is_whole(folder, wanted):
                    _make(folder, wanted, build)
        except OutputError as error:
            logger.warning("the exported model is not kept for the next time: %s", error.got)
            with files.temporary_folder() as temporary:
                build(temporary)
                yield temporary
            return
    yield folder


def _make(folder: Path, wanted: Manifest, build: Callable[[Path], None]) -> None:
    with files.output_errors(folder):
        (folder / manifest.FILE_NAME).unlink(missing_ok=True)
        for stray in folder.iterdir():
            if stray.is_dir():
                shutil.rmtree(stray)
            elif stray.name != files.LOCK_NAME:
                stray.unlink()
        build(folder)
    outputs = {
        path.name: files.hash_file(path)
        for path in locations.listing(folder)
        if path.is_file() and path.name != files.LOCK_NAME
    }
    Manifest(wanted.artefact, parameters=wanted.parameters, outputs=outputs).write(folder)


def _is_whole(folder: Path, wanted: Manifest) -> bool:
    """Whether the entry is finished and every byte of it is as it was written."""
    try:
        found = manifest.read(folder)
        return (
            found is not None
            and found.identity == wanted.identity
            and all(files.hash_file(folder / name) == digest for name, digest in found.outputs.items())
        )
    except (DataError, OSError):
        return False

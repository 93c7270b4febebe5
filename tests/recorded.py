"""Files of an artefact that a test replaces on purpose: the manifest gets their hashes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rankdistill import files, manifest


def record_again(folder: Path) -> None:
    """Name in the manifest of `folder` what its outputs hold now; those that are gone are left out."""
    made = manifest.read(folder)
    assert made is not None
    there = {name: folder / name for name in made.outputs if (folder / name).is_file()}
    replace(made, outputs={name: files.hash_file(path) for name, path in there.items()}).write(folder)


def change_manifest(folder: Path, **changes: object) -> None:
    """Write the manifest of `folder` anew with other fields."""
    made = manifest.read(folder)
    assert made is not None
    replace(made, **changes).write(folder)  # type: ignore[arg-type]

"""Which shorter lengths a model's vectors may be cut to: those that it was trained for (Matryoshka).

Any vector can be cut, and a model that was not trained for it ranks worse then without a sign of it. So lengths are
told beside the model, in `dimensions.json`; models of other makers tell them in their `config.json`.

Source: Kusupati et al. 2022, arXiv 2205.13147.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rankdistill import files, integrity, manifest, plain_json
from rankdistill.errors import DataError

FILE_NAME = "dimensions.json"
TRAINED = "trained"
PUBLISHED = ("matryoshka_dimensions", "matryoshka_dims")
"""What `config.json` of published models calls them."""


def write(folder: Path, dimensions: Sequence[int]) -> None:
    """Tell that the model in `folder` was trained for these shorter lengths; nothing is written for none."""
    if dimensions:
        files.write_text(folder / FILE_NAME, json.dumps({TRAINED: sorted(set(dimensions), reverse=True)}) + "\n")


def of(folder: Path, whole: int) -> tuple[int, ...]:
    """Lengths that vectors of the model in `folder` may be cut to, longest first; `whole` is the longest.

    Raises:
        DataError: `dimensions.json` does not hold whole numbers.
    """
    return (whole, *(length for length in shorter(folder) if length < whole))


def shorter(folder: Path) -> tuple[int, ...]:
    """Those that are told of the model in `folder`, longest first; none where none are.

    Raises:
        DataError: `dimensions.json` does not hold whole numbers.
    """
    found: set[int] = set()
    told = folder / FILE_NAME
    if told.is_file():
        found.update(_numbers(told, (TRAINED,)))
    config = folder / "config.json"
    if config.is_file():
        found.update(_numbers(config, PUBLISHED))
    found.update(_of_manifest(folder))
    return tuple(sorted(found, reverse=True))


def _of_manifest(folder: Path) -> Sequence[int]:
    """What students from before there was a file for it were trained for."""
    try:
        made = manifest.read(folder)
    except DataError:  # of another tool
        return ()
    return made.parameters.get("matryoshka") or () if made is not None and made.artefact == "student" else ()


def _numbers(path: Path, names: Sequence[str]) -> list[int]:
    try:
        content = plain_json.loads(integrity.read_text(path))
        found = [length for name in names for length in content.get(name) or ()]
    except (ValueError, AttributeError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    if not all(type(length) is int and length > 0 for length in found):
        raise _damaged(path, f"the lengths {found}")
    return found


def _damaged(path: Path, got: str) -> DataError:
    return DataError(
        expected=f"lengths of vectors, as whole numbers, in {path}",
        got=got,
        consequence="it is not known which lengths the model was trained for",
        remedy="copy the file anew from where the model was made",
    )

"""What lies where in a bundle, and reading one with every byte that it is trusted for checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rankdistill import files, manifest, models, space
from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.space import Space

ARTEFACT = "bundle"
QUERY, DOCUMENT, ROUTER, CARD = "query", "document", "router", "README.md"
POINTER = "pointer.json"
"""Inside `document/`: which model embeds the documents, where the bundle does not hold it itself."""

ONNX, ONNX_REPORT = "onnx", "onnx.json"
"""Folder of the ONNX files inside `query/`; their fidelity, beside `query/`."""


@dataclass(frozen=True)
class Bundle:
    """A finished bundle.

    Args:
        folder: where it lies.
        space: of the document tower; the query tower's vectors live in it.
        document_model: reference of the model that embeds documents: a path inside the bundle, or what it points to.
        query_weights: hash of the query tower's weights.
    """

    folder: Path
    space: Space
    document_model: str
    query_weights: str

    @property
    def query_model(self) -> str:
        """Reference of the model that embeds queries."""
        return str(self.folder / QUERY)

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        """The bundle in `folder`; its space and its pointer are checked, its weights when they are loaded.

        Raises:
            DataError: the folder is absent, unfinished or no bundle.
            SpaceMismatchError: its `space.json` or its pointer is not the one that it was made with.
        """
        made = manifest.expect(folder, ARTEFACT, "bundle")
        held = space.read(folder)
        for name in (space.FILE_NAME, f"{DOCUMENT}/{POINTER}"):
            expected = made.outputs.get(name)
            if expected is not None and _hash_of(folder / name) != expected:
                raise _edited(folder / name)
        if held is None:
            raise _edited(folder / space.FILE_NAME)
        pointer = folder / DOCUMENT / POINTER
        reference = str(folder / DOCUMENT)
        if f"{DOCUMENT}/{POINTER}" in made.outputs:
            reference = json.loads(pointer.read_text(encoding="utf-8"))["reference"]
        return cls(folder, held, reference, made.inputs["query_model"])


def is_bundle(reference: str) -> bool:
    """Whether `reference` is the folder of a bundle, finished or not, rather than a model."""
    path = Path(reference).expanduser()
    if not path.is_dir() or (path / "modules.json").is_file() or (path / "config.json").is_file():
        return False
    made = manifest.read(path)
    return made.artefact == ARTEFACT if made is not None else (path / space.FILE_NAME).is_file()


def query_model(reference: str) -> str:
    """The model that embeds queries for `reference`: a bundle's query tower, or the model itself."""
    if not is_bundle(reference):
        return reference
    return Bundle.read(Path(reference).expanduser()).query_model


def weights_of(reference: str) -> str:
    """Hash of the weights of the model `reference`; raises ModelReferenceError where there is none."""
    return models.resolve(reference).weights_hash


def _hash_of(path: Path) -> str | None:
    return files.hash_file(path) if path.is_file() else None


def _edited(path: Path) -> SpaceMismatchError | DataError:
    return SpaceMismatchError(
        expected=f"{path} as the bundle's manifest has it",
        got="a file that was edited or exchanged" if path.is_file() else "no such file",
        consequence="queries and documents may be of different spaces, so nothing was run",
        remedy="copy the bundle anew, or make it again with `rankdistill bundle`",
    )

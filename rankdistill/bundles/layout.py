"""What lies where in a bundle, and reading one with every byte that it is trusted for checked."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, manifest, models, plain_json, space
from rankdistill.display import Shown
from rankdistill.errors import SpaceMismatchError
from rankdistill.inference import trained_dimensions
from rankdistill.space import Space

if TYPE_CHECKING:
    import polars as pl

ARTEFACT = "bundle"
QUERY, DOCUMENT, ROUTER, CARD = "query", "document", "router", "README.md"
POINTER = "pointer.json"
"""Inside `document/`: which model embeds the documents, where the bundle does not hold it itself."""

ONNX, ONNX_REPORT = "onnx", "onnx.json"
"""Folder of the ONNX files inside `query/`; their fidelity, beside `query/`."""

_TOLD = (space.FILE_NAME, f"{QUERY}/{space.FILE_NAME}", f"{QUERY}/{trained_dimensions.FILE_NAME}")
"""What is no weight file, and trusted all the same."""


@dataclass(frozen=True, repr=False)
class Bundle(Shown):
    """A finished bundle; it prints as its towers and the fidelity of its ONNX files.

    Args:
        folder: where it lies.
        space: of the document tower; the query tower's vectors live in it.
        document_model: reference of the model that embeds documents: a path inside the bundle, or what it points to.
        outputs: file name -> SHA-256 of every file as it was made.
        made_from: reference of the query model that was put into it, where that is known.
        query_weights: what the query model is known by: the hash of its files, before they were let tell its length.
    """

    folder: Path
    space: Space
    document_model: str
    outputs: Mapping[str, str]
    made_from: str | None = None
    query_weights: str | None = None

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"Bundle({str(self.folder)!r}: documents by {self.document_model}, {self.space.dimension} dimensions)"

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
        outputs = made.outputs
        pointer = f"{DOCUMENT}/{POINTER}"
        _require_unchanged(folder, outputs, {*_TOLD, pointer} & outputs.keys())
        held = space.read(folder)
        if held is None:
            raise _edited(folder / space.FILE_NAME)
        reference = str(folder / DOCUMENT)
        if pointer in outputs:
            reference = str(plain_json.read(integrity.require(folder / pointer))["reference"])
        return cls(folder, held, reference, outputs, query_weights=made.inputs.get("query_model"))

    def onnx_report(self) -> dict[str, Any]:
        """The ONNX files of the query tower with their fidelity (`files`), and why there are none (`reason`)."""
        found: dict[str, Any] = plain_json.read(integrity.require(self.folder / ONNX_REPORT))
        return found

    def lines(self) -> list[str]:
        """The towers; each ONNX file with its size and its cosine with float32 of torch, or why there is none."""
        towers = f"queries by {self.made_from or self.query_model}, documents by {self.document_model}"
        report = self.onnx_report()
        files_ = [
            f"{file['file']}: {file['size'] / 1e6:,.1f} MB, cosine {file['mean_cosine']} with float32 of torch "
            f"(least {file['least_cosine']} of {file['texts']} texts)"
            for file in report["files"]
        ]
        reason = [f"no ONNX: {report['reason']}"] if "reason" in report else []
        return [f"{self.folder}: {towers}, {self.space.dimension} dimensions", *files_, *reason]

    def to_polars(self) -> pl.DataFrame:
        """A row an ONNX file: file, size in bytes, texts, mean_cosine, least_cosine, ...; none without such files."""
        import polars as pl

        return pl.DataFrame(self.onnx_report()["files"])

    def to_json(self) -> dict[str, Any]:
        """Folder, towers, the space that they share, and the ONNX files with their fidelity."""
        return {
            "bundle": str(self.folder),
            "query_model": self.made_from or self.query_model,
            "document_model": self.document_model,
            "space": self.space.to_json(),
            "onnx": self.onnx_report(),
        }

    def require_query_tower(self) -> None:
        """Raise SpaceMismatchError unless the files of the query tower are those that it was made with."""
        self._require_tower(QUERY)

    @property
    def holds_document_model(self) -> bool:
        """Whether the document model itself lies in the bundle, and no pointer to it."""
        return f"{DOCUMENT}/{POINTER}" not in self.outputs

    def require_document_tower(self) -> None:
        """Raise SpaceMismatchError unless the files of a document model that it holds are those that it was made with.

        They are known by the weights that its space names: beside these they only tell the model's length.
        """
        self._require_tower(DOCUMENT)

    def _require_tower(self, folder: str) -> None:
        made = {name for name in self.outputs if name.startswith(f"{folder}/") and models.is_weight_file(Path(name))}
        _require_unchanged(self.folder, self.outputs, made)
        tower = models.resolve(str(self.folder / folder))
        there = {f"{folder}/{path.relative_to(tower.path).as_posix()}" for path in tower.files()}
        _require_unchanged(self.folder, self.outputs, there - made)


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


def _require_unchanged(folder: Path, outputs: Mapping[str, str], names: Set[str]) -> None:
    for name in sorted(names):
        path = folder / name
        if not path.is_file() or not integrity.is_content(path, outputs.get(name)):
            raise _edited(path)


def _edited(path: Path) -> SpaceMismatchError:
    return SpaceMismatchError(
        expected=f"{path} as the bundle's manifest has it",
        got="a file that was edited, exchanged or added" if path.is_file() else "no such file",
        consequence="queries and documents may be of different spaces, so nothing was run",
        remedy="copy the bundle anew, or make it again with `rankdistill bundle`",
    )

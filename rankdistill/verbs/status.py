"""`status`: what a folder holds, finished or not, and what made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest
from rankdistill.display import Shown
from rankdistill.errors import DataError
from rankdistill.manifest import Manifest
from rankdistill.stores import status as of_scores
from rankdistill.stores.embeddings import layout as embeddings
from rankdistill.stores.embeddings import status as of_embeddings
from rankdistill.stores.layout import ARTEFACT as SCORES
from rankdistill.stores.layout import Layout
from rankdistill.verbs.arguments import Place, place_of
from rankdistill.verbs.contract import verb_with_stores

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, repr=False)
class Status(Shown):
    """What a folder holds; it prints as lines.

    Args:
        path: the folder.
        artefact: what kind of thing it holds: `scores`, `embeddings`, `student`, `index`, ...
        manifest: what made it; None where it is unfinished.
        holds: of a store, a line for its state, its texts, each teacher, and what is left to do.
    """

    path: Path
    artefact: str
    manifest: Manifest | None
    holds: tuple[str, ...] = ()

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Status({str(self.path)!r}: {self.artefact}{'' if self.manifest else ', unfinished'})"

    @property
    def made(self) -> Mapping[str, Any]:
        """Command, inputs, parameters and versions, as the manifest has them; empty where there is none."""
        kinds = ("command", "inputs", "parameters", "versions")
        return {} if self.manifest is None else {kind: getattr(self.manifest, kind) for kind in kinds}

    def lines(self) -> list[str]:
        """What a store holds; of anything else, what made it."""
        return list(self.holds) or [
            f"{self.path}: {self.artefact}",
            *(f"{kind}: {what}" for kind, what in self.made.items() if what),
        ]

    def to_polars(self) -> pl.DataFrame:
        """One row: path, artefact, finished, command."""
        import polars as pl

        return pl.DataFrame(
            {
                "path": [str(self.path)],
                "artefact": [self.artefact],
                "finished": [self.manifest is not None],
                "command": [self.made.get("command")],
            },
            schema_overrides={"command": pl.String},
        )

    def to_json(self) -> dict[str, Any]:
        """Path, artefact, whether there is a manifest, what a store holds, and the manifest's fields."""
        return {
            "path": str(self.path),
            "artefact": self.artefact,
            "finished": self.manifest is not None,
            "holds": [line.strip() for line in self.holds],
            **self.made,
        }


@verb_with_stores("path")
def status(path: Place) -> Status:
    """What the folder of a store or of any other artefact holds, and what made it.

    Args:
        path: the folder; also `s3://...`.

    Raises:
        DataError: nothing of ours lies there, or a file is cut off.
        RemoteError: the object store does not answer, or refuses.
    """
    folder = place_of(path)
    found = manifest.read(folder)
    if embeddings.is_store(folder):
        return Status(folder, embeddings.ARTEFACT, found, tuple(of_embeddings.describe(folder)))
    if found.artefact == SCORES if found else Layout(folder).teacher_ids():
        return Status(folder, SCORES, found, tuple(of_scores.describe(folder)))
    if found is None:
        raise DataError(
            expected="a folder that a verb has finished, or a store",
            got=f"{folder}: {'no manifest' if folder.is_dir() else 'no such folder'}",
            consequence="there is nothing to show",
            remedy="run the verb that writes it (again: it goes on from where it was); or give another folder. "
            "`rankdistill data check` shows a collection in BEIR layout",
        )
    return Status(folder, found.artefact, found)

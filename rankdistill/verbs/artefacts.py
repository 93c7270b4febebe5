"""`artefacts`: what lies under a folder, and what each was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError, DataError
from rankdistill.locations import is_local
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.provenance.atlas import Atlas, Source, atlas_of
from rankdistill.provenance.found import Artefact, find
from rankdistill.provenance.telling import tell
from rankdistill.verbs.arguments import Place, listed, place_of
from rankdistill.verbs.contract import verb_with_stores

if TYPE_CHECKING:
    import polars as pl

GROUPS = {
    "stores": ("scores", "embeddings"),
    "students": ("student",),
    "indexes": ("index",),
    "bundles": ("bundle",),
    "runs": ("run",),
    "evaluations": ("evaluation", "task evaluations"),
    "collections": ("dataset",),
}
"""What several kinds are called together, beside the kinds themselves as manifests call them."""


@dataclass(frozen=True)
class Listed:
    """One artefact of a list.

    Args:
        path: its folder, from the one that was listed.
        kind: as its manifest calls it; `unfinished` or `damaged` where there is no readable one.
        what: in a few words.
        sources: what it was made from.
        command: the command line of its manifest; "" where it was made by Python, or is a user's.
    """

    path: str
    kind: str
    what: str
    sources: tuple[str, ...]
    command: str


@dataclass(frozen=True, repr=False)
class Artefacts(Shown):
    """The artefacts under a folder; they print as a table.

    Args:
        folder: the one that was listed.
        rows: one each, in the order of their paths.
    """

    folder: Path
    rows: tuple[Listed, ...]

    def __iter__(self) -> Iterator[Listed]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Artefacts({str(self.folder)!r}: {len(self.rows)})"

    def tables(self) -> list[Table]:
        """One artefact a row: path, kind, what it is, what it was made from."""
        rows = [[row.path, row.kind, row.what, "; ".join(row.sources)] for row in self.rows]
        return [Table(str(self.folder), ["path", "kind", "what", "made from"], rows, texts=4)] if rows else []

    def lines(self) -> list[str]:
        """How to go on; or that there is nothing."""
        if not self.rows:
            return [f"{self.folder}: no artefact of rankdistill"]
        return ["`rankdistill lineage PATH` shows the whole way to one of them"]

    def to_polars(self) -> pl.DataFrame:
        """One artefact a row: path, kind, what, made_from (a list), command."""
        import polars as pl

        schema = dict.fromkeys(("path", "kind", "what"), pl.String()) | {"made_from": pl.List(pl.String())}
        rows = [(row.path, row.kind, row.what, list(row.sources), row.command) for row in self.rows]
        return pl.DataFrame(rows, schema=schema | {"command": pl.String()}, orient="row")

    def to_json(self) -> dict[str, Any]:
        """The folder, and the rows."""
        return {"folder": str(self.folder), "artefacts": self.to_polars().to_dicts()}


@verb_with_stores("folder")
def artefacts(
    folder: Place = ".", *, kinds: str | Sequence[str] | None = None, progress: ProgressLike = False
) -> Artefacts:
    """What lies under a folder: stores, students, indexes, bundles, runs, ...; and what each was made from.

    Sources are recognised by the hashes in manifests, so an artefact that was moved or renamed is still found. Those
    that do not lie under the folder are named as the manifest has them.

    Args:
        folder: where to look, with all folders below it.
        kinds: only these: `stores`, `students`, `indexes`, `bundles`, `runs`, `evaluations`, `collections`, or kinds
            as manifests call them; all unless given.
        progress: True tells on standard error; or a function that takes the number of folders just looked into.

    Raises:
        DataError: there is no such folder, or it lies in an object store.
        ConfigError: there is no such kind.
    """
    place = place_of(folder)
    if not is_local(place) or not place.is_dir():
        raise DataError(
            expected="a folder on this machine",
            got=f"{place}: {'an object store' if not is_local(place) else 'no such folder'}",
            consequence="nothing was listed",
            remedy="give the folder to look into; `rankdistill status` shows a store in a bucket",
        )
    with reporter_of(progress).stage("list", "folders") as stage:
        found = list(find(place, stage))
        wanted = _chosen(listed(kinds), found)
        atlas = atlas_of(found, stage)
        rows = tuple(_row(one, place, atlas) for one in found if wanted is None or one.kind in wanted)
    return Artefacts(place, rows)


def _chosen(kinds: Sequence[str], found: Sequence[Artefact]) -> set[str] | None:
    """The kinds that are meant; None: all."""
    from rankdistill.verbs.open import READERS

    known = {*READERS, "unfinished", "damaged", *(one.kind for one in found)}
    if unknown := [name for name in kinds if name not in known and name not in GROUPS]:
        raise ConfigError(
            expected=f"kinds: {', '.join([*GROUPS, *sorted(known)])}",
            got=", ".join(map(repr, unknown)),
            consequence="nothing was listed",
            remedy="name some of those, or leave them out",
        )
    return {kind for name in kinds for kind in GROUPS.get(name, (name,))} or None


def _row(artefact: Artefact, folder: Path, atlas: Atlas) -> Listed:
    command = artefact.manifest.command if artefact.manifest is not None else ""
    known = atlas.sources(artefact)
    sources = tuple(dict.fromkeys(_source(one, folder) for one in known if one.is_known))
    if missing := ", ".join(dict.fromkeys(one.name for one in known if not one.is_known)):
        sources = (*sources, f"{missing} (not here)")
    if artefact.kind == "run":
        sources = (f"{len(known)} steps",) if known else ()
    return Listed(_path(artefact, folder), artefact.kind, tell(artefact), sources, command)


def _source(source: Source, folder: Path) -> str:
    return source.reference if source.artefact is None else _path(source.artefact, folder)


def _path(artefact: Artefact, folder: Path) -> str:
    """From the folder that is listed; as it is where it lies elsewhere."""
    place, above = artefact.path.resolve(), folder.resolve()
    return place.relative_to(above).as_posix() if place.is_relative_to(above) else str(artefact.path)

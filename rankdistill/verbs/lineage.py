"""`lineage`: what made an artefact, what made that, and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown
from rankdistill.errors import DataError
from rankdistill.locations import is_local
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.provenance import drawing
from rankdistill.provenance.atlas import atlas_around
from rankdistill.provenance.found import Artefact, at
from rankdistill.provenance.lineage import Node, trace
from rankdistill.provenance.telling import tell
from rankdistill.verbs.arguments import Place, listed, place_of
from rankdistill.verbs.contract import verb_with_stores

if TYPE_CHECKING:
    import polars as pl


PYTHON = "made from Python"
"""Instead of a command, of which a manifest then knows nothing."""


@dataclass(frozen=True, repr=False)
class Lineage(Shown):
    """What made an artefact; it prints as a tree.

    Args:
        path: the artefact's folder.
        root: the artefact, with what it was made from below it.
    """

    path: Path
    root: Node

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Lineage({str(self.path)!r}: {sum(1 for _ in self.root.walk()) - 1} sources)"

    def lines(self) -> list[str]:
        """The tree, two lines an artefact: what it is, and the command that made it."""
        unknown = [node for node in self.root.walk() if not node.is_known]
        said = ["not found here: those with a hash alone; --within FOLDER looks elsewhere"] if unknown else []
        return [*_tree(self.root, "", "", set()), *said]

    def draw(self, out: Place) -> Path:
        """Draw it into a file: `.svg`, `.png` or `.pdf`, or `.mmd` for a Mermaid diagram as text.

        Raises:
            ConfigError: another kind of file.
        """
        place = place_of(out)
        drawing.draw(self.root, place)
        return place

    def to_polars(self) -> pl.DataFrame:
        """One edge a row: path (of what was made), name, source, kind, command."""
        import polars as pl

        columns = ("path", "name", "source", "kind", "command")
        return pl.DataFrame([row for row in _edges(self.root)], schema=dict.fromkeys(columns, pl.String), orient="row")

    def to_json(self) -> dict[str, Any]:
        """The tree: of each node what its manifest says."""
        return _json(self.root)


@verb_with_stores("artefact")
def lineage(
    artefact: Place,
    *,
    within: Place | Sequence[Place] | None = None,
    draw: Place | None = None,
    progress: ProgressLike = False,
) -> Lineage:
    """What made an artefact, what made that, and so on to collections and models.

    A source is recognised by the hash that the manifest has of it, wherever it lies now and whatever it is called. It
    is looked for in the run that the artefact is a step of, or else beside it, and in the folders that commands name.
    A student's scores are an exception: it knows the rows that it read, which a store tells by its teacher alone.

    Args:
        artefact: its folder: a student, an index, a bundle, an evaluation, a run, ...
        within: folders to look into instead, with all below them.
        draw: file to draw it into: `.svg`, `.png`, `.pdf`, or `.mmd` (Mermaid); none unless given.
        progress: True tells on standard error; or a function that takes the number of folders just looked into.

    Raises:
        DataError: nothing of ours lies there.
        ConfigError: a kind of file that nothing draws.
    """
    folder = place_of(artefact)
    if draw is not None:
        drawing.require_drawable(place_of(draw))
    places = [place_of(one) for one in listed(within)]
    for place in (folder, *places):
        _require_folder(place)
    found = at(folder)
    if found is None:
        raise DataError(
            expected="a folder that rankdistill wrote, or a collection",
            got=f"{folder}: neither a manifest nor a corpus",
            consequence="its lineage is not known",
            remedy=f"`rankdistill list {folder}` shows what lies below it",
        )
    with reporter_of(progress).stage("lineage", "folders") as stage:
        made = Lineage(folder, trace(atlas_around(found, places, stage), found))
    if draw is not None:
        made.draw(draw)
    return made


def _require_folder(place: Path) -> None:
    if not is_local(place) or not place.is_dir():
        raise DataError(
            expected="a folder on this machine",
            got=f"{place}: {'an object store' if not is_local(place) else 'no such folder'}",
            consequence="its lineage is not known",
            remedy="give the folder that a verb wrote; `rankdistill list .` shows those below a folder",
        )


def _tree(node: Node, first: str, rest: str, told: set[str]) -> Iterator[str]:
    """Lines of a node and of those below it, the first one after `first`, the others after `rest`.

    A command that stands in `told` is not told again: the steps of a run have one.
    """
    yield f"{first}{_label(node)}"
    below = rest + ("│  " if node.sources else "   ")
    command = _command(node)
    if command and node.repeated:
        yield f"{below}what made it stands above"
    if command and not node.repeated:
        yield f"{below}{'by the same command' if command in told and command != PYTHON else command}"
        told.add(command)
    for place, source in enumerate(node.sources):
        last = place == len(node.sources) - 1
        yield from _tree(source, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), told)


def _label(node: Node) -> str:
    name = f"{node.name}: " if node.name else ""
    if node.artefact is None:
        return f"{name}{node.reference if node.is_known else f'{node.reference[:12]}, not found here'}"
    what = tell(node.artefact)
    others = f" (or {', '.join(str(one.path) for one in node.others)})" if node.others else ""
    return f"{name}{node.artefact.path} [{node.artefact.kind}{f': {what}' if what else ''}]{others}"


def _command(node: Node) -> str:
    made = node.artefact.manifest if node.artefact is not None else None
    if made is None:
        return ""
    return made.command or PYTHON


def _edges(node: Node) -> Iterator[tuple[str, str, str, str, str]]:
    for source in node.sources:
        assert node.artefact is not None
        found: Artefact | None = source.artefact
        yield (
            str(node.artefact.path),
            source.name,
            str(found.path) if found is not None else source.reference,
            found.kind if found is not None else "model" if source.is_known else "unknown",
            _command(source),
        )
        yield from _edges(source)


def _json(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"name": node.name}
    if node.artefact is None:
        return found | ({"reference": node.reference} if node.is_known else {"hash": node.reference})
    made = node.artefact.manifest
    found |= {"path": str(node.artefact.path), "kind": node.artefact.kind, "what": tell(node.artefact)}
    if made is not None and not node.repeated:
        fields = ("command", "inputs", "parameters", "versions")
        found |= {"identity": made.identity} | {name: getattr(made, name) for name in fields}
    if node.others:
        found["others"] = [str(one.path) for one in node.others]
    return found | {"repeated": node.repeated, "sources": [_json(source) for source in node.sources]}

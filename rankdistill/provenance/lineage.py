"""What made an artefact, what made that, and so on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rankdistill.provenance.atlas import Atlas
from rankdistill.provenance.found import Artefact


@dataclass(frozen=True)
class Node:
    """An artefact, or a model, in a lineage.

    Args:
        name: what the artefact that it made calls it; "" of the first one.
        artefact: None of a model that is no artefact, and of what is not known.
        reference: of a model; the hash of what is not known.
        is_model: whether it is a model that is no artefact.
        sources: what it was made from; none of one that stands before in the same lineage.
        repeated: whether it stands before.
        others: further artefacts that are the same as far as the one that was made from it tells.
    """

    name: str
    artefact: Artefact | None
    reference: str = ""
    is_model: bool = False
    sources: tuple[Node, ...] = ()
    repeated: bool = False
    others: tuple[Artefact, ...] = ()

    def walk(self) -> Iterator[Node]:
        """The node and all below, from the top."""
        yield self
        for source in self.sources:
            yield from source.walk()

    @property
    def is_known(self) -> bool:
        """Whether an artefact or a model stands for it."""
        return self.artefact is not None or self.is_model


def trace(atlas: Atlas, artefact: Artefact) -> Node:
    """What made an artefact, what made that, and so on; each artefact's sources are told once."""
    seen: set[Path] = set()

    def node(found: Artefact, name: str, others: tuple[Artefact, ...]) -> Node:
        if found.path in seen:
            return Node(name, found, repeated=True, others=others)
        seen.add(found.path)
        sources = [
            node(source.artefact, source.name, source.others)
            if source.artefact is not None
            else Node(source.name, None, source.reference or source.needs[0].key, bool(source.reference))
            for source in atlas.sources(found)
        ]
        return Node(name, found, sources=tuple(sources), others=others)

    return node(artefact, "", ())

"""Which models a system is of, and whether a model or a bundle is one of them: by the hashes of their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import models
from rankdistill.bundles.layout import QUERY, ROUTER, Bundle, is_bundle

_WITHOUT_MODEL = ("bm25", "texts")
"""Fields of the fingerprints of systems that compare words."""

_WITHIN = ("encoder", "teacher", "queries", "server", "model")
"""Field of a fingerprint -> below it stands what reads the queries."""

_SEVERAL = ("parts", "members", "models")
"""Those below which several do."""


@dataclass(frozen=True)
class Readers:
    """The models that read the queries of a system.

    Args:
        weights: hashes of their weights, as far as they are told.
        all_told: whether the system has no others.
    """

    weights: frozenset[str]
    all_told: bool

    def has(self, identities: Iterator[str]) -> bool | None:
        """Whether a model with one of these hashes is among them; None where that cannot be known."""
        if not self.weights and not self.all_told:
            return None
        if any(one in self.weights for one in identities):
            return True
        return False if self.all_told else None

    @property
    def words(self) -> str:
        """What they are, for messages."""
        return " and ".join(f"weights {one[:12]}" for one in sorted(self.weights)) or "no model"


def together(several: Sequence[Readers]) -> Readers:
    """Those of several systems; of none, nothing is told."""
    weights = frozenset[str]().union(*(one.weights for one in several))
    return Readers(weights, bool(several) and all(one.all_told for one in several))


def readers_of(fingerprint: Any) -> Readers:
    """The models that read the queries, as the fingerprint of a system or of a scorer of pairs tells them.

    Of a system that is re-ranked it is what scores the pairs; of a fused one, those of all its parts. A run that was
    read from a file, and a service, tell none.

    Args:
        fingerprint: of a `Retriever`, an encoder, a `PairScorer`; anything else tells nothing.
    """
    if not isinstance(fingerprint, Mapping):
        return Readers(frozenset(), False)
    weights = fingerprint.get("weights")
    if isinstance(weights, str):
        return Readers(frozenset([weights]), True)
    if any(name in fingerprint for name in _WITHOUT_MODEL):
        return Readers(frozenset(), True)
    if isinstance(fingerprint.get("fusion"), Mapping) and "parts" in fingerprint["fusion"]:
        return readers_of(fingerprint["fusion"])
    for name in _SEVERAL:
        below = fingerprint.get(name)
        if isinstance(below, Mapping | list | tuple):
            found = together([readers_of(one) for one in (below.values() if isinstance(below, Mapping) else below)])
            return Readers(found.weights, found.all_told and name != "models")  # a server may search without a model
    for name in _WITHIN:
        if isinstance(fingerprint.get(name), Mapping):
            return readers_of(fingerprint[name])
    return Readers(frozenset(), False)


def evaluated(signatures: Any) -> list[Mapping[str, Any]]:
    """The signatures of a system's evaluations in a report, which has one, or one a training; without what is none."""
    several = signatures if isinstance(signatures, list) else [signatures]
    return [one for one in several if isinstance(one, Mapping)]


def readers_in(signatures: Any) -> Readers:
    """The same of a system's evaluations: of one signature, or of one a training."""
    return together([readers_of(one.get("system")) for one in evaluated(signatures)])


def identities(reference: str) -> Iterator[str]:
    """The hashes that a model, or a bundle, may have in a fingerprint; each is read when it is asked for.

    A bundle is known as the model that it was made from, and as either model that lies in it: its query tower, and its
    router. Either of these is known as the others, too.

    Raises:
        ModelReferenceError: there is no such model.
        DataError: the bundle is unfinished.
        SpaceMismatchError: the bundle's space was edited.
    """
    bundle = bundle_of(reference)
    if bundle is None:
        yield models.resolve(reference).weights_hash
        return
    if bundle.query_weights is not None:
        yield bundle.query_weights
    for name in (QUERY, ROUTER):
        if (bundle.folder / name / "modules.json").is_file():
            yield models.resolve(str(bundle.folder / name)).weights_hash


def told(reference: str) -> str:
    """The first of `identities`, short, for messages; raises what that does."""
    return f"weights {next(identities(reference))[:12]}"


def bundle_of(reference: str) -> Bundle | None:
    """The bundle that is meant, or that the model lies in; None where there is none.

    Raises:
        DataError, SpaceMismatchError: see `Bundle.read`.
    """
    folder = Path(reference).expanduser()
    if is_bundle(reference):
        return Bundle.read(folder)
    above = folder.absolute().parent
    if folder.name in (QUERY, ROUTER) and folder.is_dir() and is_bundle(str(above)):
        return Bundle.read(above)
    return None

"""What shorter and coarser vectors cost: nDCG@10 over truncated dimensions x precision, beside random truncation.

A space trained for it (Matryoshka) keeps its quality in the first dimensions; a space that was not keeps most of it in
any of them, so that truncation means nothing without a random choice of dimensions beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError
from rankdistill.evaluation.embedded import Embedded, Judged, Pairing
from rankdistill.evaluation.measures import Qrels
from rankdistill.evaluation.precisions import PRECISIONS, search
from rankdistill.evaluation.robustness_result import Cell, SystemGrid
from rankdistill.indexing.documents import named
from rankdistill.indexing.vectors import normalised
from rankdistill.progress import Progress

if TYPE_CHECKING:
    pass

DEPTH = 10
SMALLEST = 32


@dataclass(frozen=True)
class GridSettings:
    """What is measured.

    Args:
        dimensions: how many of the first dimensions are kept.
        precisions: names in `rankdistill.evaluation.precisions.PRECISIONS`.
        draws: random choices of as many dimensions that each truncation is compared with; 0 for none.
        seed: of these choices; they are the same for every system and precision.
    """

    dimensions: tuple[int, ...]
    precisions: tuple[str, ...] = ("float32", "int8", "binary")
    draws: int = 5
    seed: int = 0


def halves(dimension: int) -> tuple[int, ...]:
    """`dimension` and its halves, down to 32."""
    found = [dimension]
    while found[-1] // 2 >= SMALLEST:
        found.append(found[-1] // 2)
    return tuple(found)


def grid(
    pairings: Sequence[Pairing],
    similarity: str,
    qrels: Qrels,
    settings: GridSettings,
    progress: Progress = lambda done: None,
    own: Set[str] = frozenset(),
) -> tuple[SystemGrid, ...]:
    """nDCG@10 of every pairing at every number of dimensions and precision.

    Truncated vectors are brought to unit length again where the space compares by cosine. Ties, of which there are
    many in few bits, are broken as trec_eval does, by falling document id.

    Args:
        pairings: the systems.
        similarity: `cosine` or `dot`.
        qrels: of the queries.
        settings: what is measured.
        progress: called after each search.
        own: queries of which the document of the same id is left out.

    Raises:
        ConfigError: more dimensions than the vectors have, an unknown precision, a negative number of draws.
        DataError: there are no qrels.
    """
    check(settings, min(pairing.dimension for pairing in pairings))
    judged = Judged(qrels, own)
    return tuple(_of_system(_by_falling_id(pairing), similarity, judged, settings, progress) for pairing in pairings)


def searches(pairings: Sequence[Pairing], settings: GridSettings) -> int:
    """How many times `grid` will search: what its progress adds up to."""
    return sum(
        1
        + len(settings.precisions)
        * sum(1 if kept == one.dimension else 1 + settings.draws for kept in settings.dimensions)
        for one in pairings
    )


def _of_system(
    pairing: Pairing, similarity: str, judged: Judged, settings: GridSettings, progress: Progress
) -> SystemGrid:
    def measured(kept: NDArray[np.intp], precision: str) -> float:
        value = _ndcg(pairing, similarity, judged, kept, precision)
        progress(1)
        return value

    everything = np.arange(pairing.dimension)
    cells = [
        Cell(
            dimension,
            precision,
            measured(everything[:dimension], precision),
            tuple(measured(kept, precision) for kept in _draws(pairing.dimension, dimension, settings)),
        )
        for precision in settings.precisions
        for dimension in settings.dimensions
    ]
    return SystemGrid(pairing.name, pairing.dimension, measured(everything, "float32"), tuple(cells))


def _draws(dimension: int, kept: int, settings: GridSettings) -> Iterator[NDArray[np.intp]]:
    """Random choices of `kept` dimensions, sorted: the same whatever else is measured; none where all are kept."""
    if kept < dimension:
        for draw in range(settings.draws):
            generator = np.random.default_rng([settings.seed, draw, kept])
            yield np.sort(generator.choice(dimension, kept, replace=False))


def _ndcg(pairing: Pairing, similarity: str, judged: Judged, kept: NDArray[np.intp], precision: str) -> float:
    queries, documents = pairing.queries.vectors[:, kept], pairing.documents.vectors[:, kept]
    if similarity == "cosine":
        queries, documents = normalised(queries), normalised(documents)
    positions, scores = search(queries, documents, precision, judged.depth(DEPTH))
    return judged.ndcg_at_10(pairing.queries.ids, named(positions, pairing.documents.ids), scores)


def _by_falling_id(pairing: Pairing) -> Pairing:
    """The documents in the order in which equal scores are ranked."""
    ids = np.array(pairing.documents.ids, dtype=object)
    order = np.argsort(ids, kind="stable")[::-1]
    documents = Embedded(list(ids[order]), pairing.documents.vectors[order])
    return Pairing(pairing.name, pairing.queries, documents)


def check(settings: GridSettings, dimension: int) -> None:
    """Raise ConfigError unless vectors of length `dimension` can be measured with `settings`."""
    rules = {
        f"numbers of dimensions from 1 to {dimension}, each once": (
            settings.dimensions,
            _each_once(settings.dimensions) and all(1 <= kept <= dimension for kept in settings.dimensions),
        ),
        f"precisions among {', '.join(PRECISIONS)}, each once": (
            settings.precisions,
            _each_once(settings.precisions) and set(settings.precisions) <= set(PRECISIONS),
        ),
        "at least 0 random draws": (settings.draws, settings.draws >= 0),
    }
    for expected, (got, kept) in rules.items():
        if not kept:
            raise ConfigError(
                expected=expected, got=str(got), consequence="nothing was measured", remedy="change the setting"
            )


def _each_once(values: Sequence[object]) -> bool:
    return 0 < len(values) == len(set(values))

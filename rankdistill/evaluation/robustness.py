"""What shorter and coarser vectors cost: nDCG@10 over truncated dimensions x precision, beside random truncation.

A space trained for it (Matryoshka) keeps its quality in the first dimensions; a space that was not keeps most of it in
any of them, so that truncation means nothing without a random choice of dimensions beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.display import Table
from rankdistill.errors import ConfigError
from rankdistill.evaluation.embedded import Embedded, Judged, Pairing
from rankdistill.evaluation.measured import Measured
from rankdistill.evaluation.measures import TITLES, Qrels
from rankdistill.evaluation.precisions import PRECISIONS, search
from rankdistill.indexing.documents import named
from rankdistill.indexing.vectors import normalised
from rankdistill.progress import Progress

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

FILE_NAME = "robustness.json"
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


@dataclass(frozen=True)
class Cell:
    """One number of dimensions at one precision.

    Args:
        dimension: how many were kept.
        precision: see `rankdistill.evaluation.precisions`.
        ndcg_at_10: of the first `dimension` dimensions.
        random: nDCG@10 of each random choice of as many; empty where all are kept.
    """

    dimension: int
    precision: str
    ndcg_at_10: float
    random: tuple[float, ...] = ()

    @property
    def random_mean(self) -> float | None:
        """Mean over the random choices."""
        return float(np.mean(self.random)) if self.random else None

    @property
    def random_deviation(self) -> float | None:
        """Their standard deviation (of a sample); None for fewer than two."""
        return float(np.std(self.random, ddof=1)) if len(self.random) > 1 else None


@dataclass(frozen=True)
class SystemGrid:
    """All cells of one system.

    Args:
        name: of the pairing.
        dimension: of its vectors.
        full: nDCG@10 of all dimensions in float32: what retention is measured against.
        cells: precision by precision.
    """

    name: str
    dimension: int
    full: float
    cells: tuple[Cell, ...]

    def retention(self, value: float | None) -> float | None:
        """`value` as a share of the own full value; None where either is missing."""
        return value / self.full if value is not None and self.full else None


@dataclass(frozen=True, repr=False)
class Robustness(Measured):
    """The grids of several systems on the same queries; they print as one table.

    Args:
        signature: what the numbers depend on.
    """

    data: str
    split: str
    queries: int
    documents: int
    systems: tuple[SystemGrid, ...]
    signature: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = ", ".join(system.name for system in self.systems)
        return f"Robustness({names}: {self.data}, {self.split}, {self.queries:,} queries)"

    def tables(self) -> list[Table]:
        """A system at a precision a row."""
        from rankdistill.evaluation.robustness_report import grid_rows

        title = f"{TITLES['ndcg_at_10']} on {self.data}, {self.split}, {self.queries} queries"
        return [Table(title, *grid_rows(self), texts=3)]

    def lines(self) -> list[str]:
        """Where the report lies."""
        from rankdistill.evaluation.robustness_report import PAGE

        return [] if self.path is None else [str(self.path / PAGE)]

    def to_polars(self) -> pl.DataFrame:
        """A cell a row: system, precision, dimension, ndcg_at_10, retention, random_mean, random_deviation."""
        import polars as pl

        schema = {
            "system": pl.String,
            "precision": pl.String,
            "dimension": pl.Int64,
            **dict.fromkeys(("ndcg_at_10", "retention", "random_mean", "random_deviation"), pl.Float64),
        }
        rows = [
            [
                *(system.name, cell.precision, cell.dimension, cell.ndcg_at_10),
                *(system.retention(cell.ndcg_at_10), cell.random_mean, cell.random_deviation),
            ]
            for system in self.systems
            for cell in system.cells
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def plot(self) -> Figure:
        """Heat maps of retention by precision and dimensions."""
        from rankdistill.evaluation.robustness_report import heat_map

        return heat_map(self)

    def to_json(self) -> dict[str, Any]:
        """All fields, with retention and the random choices' mean and deviation."""
        content = asdict(self)
        for system, shown in zip(self.systems, content["systems"], strict=True):
            shown["cells"] = [
                asdict(cell)
                | {
                    "retention": system.retention(cell.ndcg_at_10),
                    "random_mean": cell.random_mean,
                    "random_deviation": cell.random_deviation,
                    "random_retention": system.retention(cell.random_mean),
                }
                for cell in system.cells
            ]
        return content

    def write(self, folder: Path) -> None:
        """Write `robustness.json` into `folder`."""
        files.write_text(folder / FILE_NAME, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")


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

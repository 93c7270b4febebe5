"""Which texts of a store are trained on, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.errors import StoreError
from rankdistill.students.targets import spaced
from rankdistill.training.alignment.geometry import NEIGHBOURS
from rankdistill.training.alignment.mixture import Mixture

if TYPE_CHECKING:
    import pyarrow as pa

    from rankdistill.training.alignment.config import AlignConfig
    from rankdistill.training.alignment.source import EmbeddingSource

SLICE = 100_000
"""Texts that are looked at together."""

MOST_HELD_OUT = 10
"""At most one text in so many is held out."""


@dataclass(frozen=True)
class Selection:
    """Rows of a store.

    Args:
        groups: (kind, source) -> rows that are trained on, ascending, at least one.
        held_out: rows that only the monitor reads; none where there are too few for neighbourhoods.
        report: what was left out and why.
    """

    groups: Mapping[tuple[str, str], NDArray[np.int64]]
    held_out: NDArray[np.int64]
    report: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many rows are trained on."""
        return sum(len(rows) for rows in self.groups.values())

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows that are trained on, ascending."""
        return np.sort(np.concatenate(list(self.groups.values())))


@dataclass(frozen=True)
class SelectedEmbeddings:
    """The rows of a store that are trained on, as the preparation of a student reads them.

    Args:
        store: the whole.
        rows: those to show, ascending.
    """

    store: EmbeddingSource
    rows: NDArray[np.int64]

    @property
    def reference(self) -> str:
        """The teacher's model reference."""
        return self.store.reference

    def texts(self) -> pa.Table:
        """The store's columns, of these rows."""
        return self.store.texts().take(self.rows)

    def vectors(self) -> SelectedVectors:
        """The vectors of these rows; read when they are asked for."""
        return SelectedVectors(self.store.vectors(), self.rows)


@dataclass(frozen=True)
class SelectedVectors:
    """Some rows of an array, which stays where it is.

    Args:
        array: [n, dim], may be memory-mapped.
        rows: those to show.
    """

    array: NDArray[np.floating[Any]]
    rows: NDArray[np.int64]

    def __getitem__(self, places: NDArray[np.int64], /) -> NDArray[np.floating[Any]]:
        """The vectors at `places` among the shown ones, [len(places), dim]."""
        return self.array[self.rows[places]]


def select(table: pa.Table, held_out: int, dev_queries: Iterable[str]) -> Selection:
    """Leave out empty texts and dev queries, and hold some rows out.

    A text is a dev query if both are the same in lower case with single spaces, whatever the text's kind.

    Args:
        table: kind, source, text; one row a vector.
        held_out: how many rows to hold out; at most a tenth are.
        dev_queries: texts that must not be trained on.

    Raises:
        StoreError: no text is left.
    """
    marked = _mark(table.select(["kind", "source", "text"]), dev_queries)
    usable = marked.filter(~pl.col("empty") & ~pl.col("dev"))
    kept_back = _hold_out(usable["row"].to_numpy().astype(np.int64), held_out)
    training = usable.filter(~pl.col("row").is_in(pl.Series(kept_back).implode()))
    if not training.height:
        raise StoreError(
            expected="an embedding store with texts to train on",
            got=f"{marked.height} texts, {marked['empty'].sum()} of them empty, {marked['dev'].sum()} dev queries",
            consequence="nothing was trained",
            remedy="embed more texts with `rankdistill embed`",
        )
    groups = {
        (str(kind), str(source)): part["row"].to_numpy().astype(np.int64)
        for (kind, source), part in sorted(training.partition_by(["kind", "source"], as_dict=True).items())
    }
    report = {
        "texts": training.height,
        "queries": training.filter(pl.col("kind") == "query").height,
        "documents": training.filter(pl.col("kind") == "document").height,
        "held_out_texts": len(kept_back),
        "dropped_empty_texts": int(marked["empty"].sum()),
        "dropped_dev_queries": int((marked["dev"] & ~marked["empty"]).sum()),
    }
    return Selection(groups, kept_back, report)


def mixture(selection: Selection, config: AlignConfig) -> Mixture:
    """The order of the rows: every group in proportion to its size and its source's weight, queries to their share.

    Raises:
        StoreError: a weight names no source of the store, a share is asked of a kind it does not hold, or nothing is
            left to train on.
    """
    drawn = _drawn(selection, config)
    return Mixture([selection.groups[group] for group in drawn], list(drawn.values()), selection.size, config.seed)


def shown(selection: Selection, config: AlignConfig, limit: int) -> NDArray[np.int64]:
    """At most `limit` of the rows that are ever drawn, evenly spaced: what the preparation of a student may read.

    Raises:
        StoreError: as `mixture` does.
    """
    rows = np.sort(np.concatenate([selection.groups[group] for group in _drawn(selection, config)]))
    return rows[spaced(len(rows), limit)]


def _drawn(selection: Selection, config: AlignConfig) -> dict[tuple[str, str], float]:
    """Group -> its weight, of the groups that are drawn from at all."""
    sources = {source for _, source in selection.groups}
    if unknown := sorted(config.source_weights.keys() - sources):
        raise _unusable(f"sources of the store: {', '.join(sorted(sources))}", f"weights for {', '.join(unknown)}")
    weights = {
        (kind, source): len(rows) * config.source_weights.get(source, 1.0)
        for (kind, source), rows in selection.groups.items()
    }
    if config.query_share is not None:
        weights = _share(weights, config.query_share)
    drawn = {group: weight for group, weight in weights.items() if weight > 0}
    if not drawn:
        raise _unusable("texts with a weight above 0", "none")
    return drawn


def _share(weights: dict[tuple[str, str], float], query_share: float) -> dict[tuple[str, str], float]:
    shares = {"query": query_share, "document": 1 - query_share}
    totals = {kind: sum(weight for (one, _), weight in weights.items() if one == kind) for kind in shares}
    for kind, share in shares.items():
        if share and not totals[kind]:
            raise _unusable(f"{kind}-like texts, for a share of {share:g}", "none")
    return {(kind, source): weight / (totals[kind] or 1) * shares[kind] for (kind, source), weight in weights.items()}


def _mark(table: pa.Table, dev_queries: Iterable[str]) -> pl.DataFrame:
    """row, kind, source, and whether the text is `empty` or a `dev` query; a slice at a time, as texts may be many."""
    known = pl.DataFrame({"text": sorted(set(dev_queries))}, schema={"text": pl.String}).select(_plain("text"))
    parts = [
        pl.DataFrame(pl.from_arrow(table.slice(start, SLICE))).select(
            "kind",
            "source",
            empty=pl.col("text").str.strip_chars() == "",
            dev=_plain("text").is_in(known["text"].implode()),
        )
        for start in range(0, max(1, table.num_rows), SLICE)
    ]
    return pl.concat(parts).with_row_index("row")


def _hold_out(usable: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    most = min(count, len(usable) // MOST_HELD_OUT)
    if most <= NEIGHBOURS + 1:
        return usable[:0]
    return np.sort(np.random.default_rng(0).permutation(usable)[:most])


def _plain(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _unusable(expected: str, got: str) -> StoreError:
    return StoreError(
        expected=expected,
        got=got,
        consequence="nothing was trained",
        remedy="correct source_weights or query_share, or embed such texts",
    )

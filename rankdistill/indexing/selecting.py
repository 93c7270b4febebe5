"""FAISS under a filter: a structure searched deeper with a selector, or the allowed vectors compared one and all.

A selector leaves out of a graph's or a list's candidates what is not allowed; as many more of them are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from threading import Lock
from typing import Any

import numpy as np

from rankdistill.indexing.among import best_among
from rankdistill.indexing.base import Allowed, Scores, Vectors
from rankdistill.indexing.topk import Positions

GATHERED, COMPARED, COMPARED_ALONE, VISITED, VISITED_NUMBER, SKIPPED = 1.0, 0.05, 0.4, 60.0, 0.25, 2.0
"""Nanoseconds, as measured on one core, only their ratios count: to copy a number of a vector; to compare one in a
product of many queries; of one query; to visit a node or an entry; to compare a number there; to skip an entry."""


MARGIN = 1.5
"""How much deeper than (2 - s) / s a structure is searched for a share s of allowed rows. 1 / s alone found .987 of the
best at 50%, (2 - s) / s without a margin .987 to .992."""

PATIENCE = 8.0
"""How many times cheaper than comparing all, which finds all, a structure must be to be searched."""


_MAPPING = Lock()


@dataclass(frozen=True)
class Rows:
    """What holds the vectors that FAISS compares, or reads its codes as.

    Args:
        prepare: queries as they are compared with them.
        at: vectors at positions, or in a slice of them.
    """

    prepare: Callable[[Vectors], Vectors]
    at: Callable[[slice | Positions], Vectors]


def search_selected(faiss: Any, index: Any, queries: Vectors, width: int, allowed: Allowed) -> tuple[Positions, Scores]:
    """The best `width` allowed rows for each query, `[queries, width]`; -1 and minus infinity end shorter rows.

    Every query finds `width` where so many are allowed: what a deeper search leaves open is compared one and all.

    Args:
        faiss: the module.
        index: of its `Index` classes; row `i` is the one that `allowed[i]` is about.
        queries: float32 `[queries, dimension]`, prepared.
        width: at least 1.
        allowed: bool `[rows]`.
    """
    count = int(allowed.sum())
    positions = np.full((len(queries), width), -1, np.int64)
    best = np.full((len(queries), width), -np.inf, np.float32)
    if count == 0:
        return positions, best
    share = count / len(allowed)
    stretch = MARGIN * (2 - share) / share
    left = np.arange(len(queries))
    selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
    parameters, cost = _parameters(faiss, index, selector, stretch, width, share)
    if parameters is not None and PATIENCE * cost * len(queries) < _cost_of_all(count, index.d, len(queries)):
        scores, found = index.search(queries, width, params=parameters)
        short = (found >= 0).sum(axis=1) < min(width, count)
        positions, best = found, np.where(found >= 0, scores, np.float32(-np.inf))
        left = np.flatnonzero(short)
    if len(left):
        rows = _rows(faiss, index)
        positions[left], best[left] = best_among(rows.prepare(queries[left]), rows.at, allowed, width)
    return positions, best


def _cost_of_all(count: int, dimension: int, queries: int) -> float:
    """Nanoseconds to compare all allowed vectors with all queries."""
    compared = COMPARED_ALONE if queries == 1 else max(COMPARED, COMPARED_ALONE / queries)
    return count * dimension * (GATHERED + queries * compared)


def _parameters(faiss: Any, index: Any, selector: Any, stretch: float, width: int, share: float) -> tuple[Any, float]:
    """How to search `index` with a selector, and the nanoseconds that a query takes; None where it cannot be."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        inner, cost = _parameters(faiss, index.index, selector, stretch, width, share)
        return inner and faiss.SearchParametersPreTransform(index_params=inner), cost
    if isinstance(index, faiss.IndexIDMap):
        return _parameters(faiss, index.index, selector, stretch, width, share)
    if isinstance(index, faiss.IndexRefine):
        refined = ceil(width * index.k_factor)
        inner, cost = _parameters(faiss, index.base_index, selector, stretch, refined, share)
        made = inner and faiss.IndexRefineSearchParameters(k_factor=index.k_factor, base_index_params=inner)
        return made, cost + refined * (VISITED + VISITED_NUMBER * index.d)
    if isinstance(index, faiss.IndexHNSW):
        depth = ceil(max(index.hnsw.efSearch, width) * stretch)
        links = index.hnsw.nb_neighbors(0)
        made = faiss.SearchParametersHNSW(sel=selector, efSearch=depth)
        return made, depth * links / 2 * (VISITED + VISITED_NUMBER * index.d)
    if isinstance(index, faiss.IndexIVF) and not isinstance(index, faiss.IndexIVFFastScan):
        lists = min(index.nlist, ceil(index.nprobe * stretch))
        made = faiss.SearchParametersIVF(sel=selector, nprobe=lists)
        entries = index.ntotal * lists / index.nlist
        return made, entries * (SKIPPED + share * VISITED_NUMBER * index.d)
    return None, 0.0


class _Kept:
    """Memory of an index as numpy sees it: every array that is made of it keeps the index alive.

    FAISS's own view holds nothing: once the index is gone, it reads memory that is someone else's.
    """

    def __init__(self, view: Vectors, owner: Any) -> None:
        self.__array_interface__ = view.__array_interface__
        self.owner = owner


def _rows(faiss: Any, index: Any) -> Rows:
    """The vectors of `index`: its own where it keeps them, else what its codes stand for; they keep it alive."""
    found = _rows_within(faiss, index, index)
    # What is inside an index is owned by the outermost one alone.
    return Rows(partial(_with, index, found.prepare), partial(_with, index, found.at))


def _with(owner: Any, function: Callable[[Any], Vectors], given: Any) -> Vectors:
    """`function(given)`; who holds this holds `owner`."""
    return function(given)


def _rows_within(faiss: Any, index: Any, owner: Any) -> Rows:
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        inner = _rows_within(faiss, index.index, owner)
        chain = [index.chain.at(place) for place in range(index.chain.size())]

        def prepare(queries: Vectors) -> Vectors:
            for transform in chain:
                queries = transform.apply(queries)
            return inner.prepare(queries)

        return Rows(prepare, inner.at)
    if isinstance(index, faiss.IndexIDMap):
        return _rows_within(faiss, index.index, owner)  # its ids are the rows' numbers
    if isinstance(index, faiss.IndexRefine):
        return _rows_within(faiss, index.refine_index, owner)
    if isinstance(index, faiss.IndexHNSW):
        return _rows_within(faiss, index.storage, owner)
    if isinstance(index, faiss.IndexIVF):
        with _MAPPING:  # of several threads one makes it
            if index.direct_map.type == faiss.DirectMap.NoMap:
                index.make_direct_map()  # where each row's code is: eight bytes a row, once

    whole = _own_vectors(faiss, index, owner)
    if whole is not None:
        return Rows(lambda queries: queries, lambda places: whole[places])

    def at(places: slice | Positions) -> Vectors:
        found: Vectors
        if isinstance(places, slice) and not isinstance(index, faiss.IndexIVF):
            found = index.reconstruct_n(places.start, places.stop - places.start)
        else:
            every = np.arange(places.start, places.stop) if isinstance(places, slice) else places
            found = index.reconstruct_batch(every)
        return found

    return Rows(lambda queries: queries, at)


def _own_vectors(faiss: Any, index: Any, owner: Any = None) -> Vectors | None:
    """The vectors of a flat index where they lie; None for others, and where a mapped file has them at odd bytes.

    Of what is not aligned numpy would copy all whenever it takes some. They keep `owner` alive, or `index` without one.
    """
    if not isinstance(index, faiss.IndexFlat):
        return None
    found: Vectors = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)
    return np.asarray(_Kept(found, index if owner is None else owner)) if found.flags.aligned else None

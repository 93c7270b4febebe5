"""What a back end of an index is, and the settings that it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from rankdistill.indexing.base import Index, Vectors
from rankdistill.indexing.distinct import Rows

Bounds = Mapping[str, tuple[float, float]]
"""Parameter -> its smallest and its largest value, both allowed."""

Names = Mapping[str, Callable[[str], None]]

BM25_BOUNDS = {"k1": (0, inf), "b": (0, 1)}
"""Of every BM25: outside them a word more could lower a score, and Lucene refuses to search."""


@dataclass(frozen=True)
class IndexSettings:
    """What kind of index.

    Args:
        dimension: length of a vector; 0 where there are none.
        similarity: `cosine`, `dot` or `bm25`.
        factory: a name in `BACKENDS`, or a FAISS factory string.
        search_parameters: of the back end's searches: FAISS's `efSearch`, `nprobe`, ...
        build_parameters: of how the back end builds.
        kind: of what is searched, a name in `rankdistill.indexing.kinds.KINDS`.
        filtered: whether documents have fields and searches may be filtered; what cannot do so as it is keeps more.
        vocabulary: the term of each dimension of sparse vectors, where it is known; only building needs it.
    """

    dimension: int
    similarity: str
    factory: str = "exact"
    search_parameters: Mapping[str, float] = field(default_factory=dict)
    build_parameters: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "dense"
    vocabulary: Sequence[str] = ()
    filtered: bool = False


@dataclass(frozen=True)
class RowsOnDisk:
    """How the vectors of an index lie in one file, a row each, so that they can be written as they are encoded.

    Args:
        name: of the file.
        prepare: `(vectors, settings)` -> as they are kept; raises DataError for what cannot be compared.
        of_rows: `(ids, rows, settings)` -> an index of these rows.
    """

    name: str
    prepare: Callable[[Vectors, IndexSettings], Vectors]
    of_rows: Callable[[list[str], Vectors, IndexSettings], Index[Any]]


@dataclass(frozen=True)
class Backend:
    """A back end.

    Args:
        create: `(settings, threads)` -> an empty index.
        load: `(folder, settings, mmap, gpu)` -> the index saved there.
        build_parameters: the names that it takes.
        search_parameters: the names that it takes; None where it checks them itself.
        build_defaults: what the manifest keeps of `build_parameters` that are not given.
        names: parameter of building whose value is a name -> what raises ConfigError for one that there is not.
        distinct: of an approximate back end, which then gets each distinct vector once: `(settings)` -> how its vectors
            are told apart.
        rows_file: of one of dense vectors that does not hold them in memory; None: what is added lies there, so that
            large collections are built in shards.
        bounds: of the parameters whose back end would find nothing, or break off after encoding, outside them.
    """

    create: Callable[[IndexSettings, int], Index[Any]]
    load: Callable[[Path, IndexSettings, bool, bool], Index[Any]]
    build_parameters: tuple[str, ...] = ()
    search_parameters: tuple[str, ...] | None = ()
    build_defaults: Mapping[str, float] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    distinct: Callable[[IndexSettings], Rows] | None = None
    rows_file: RowsOnDisk | None = None

"""Search through FAISS, by factory string: `Flat`, `HNSW32`, `IVF256,PQ48np`, ...

Dot products throughout (`METRIC_INNER_PRODUCT`); a cosine space has its vectors normalised on their way in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill import files
from rankdistill._extras import require
from rankdistill.data.spill import Spill
from rankdistill.errors import ConfigError, MissingDependencyError
from rankdistill.indexing.arrays import damaged
from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Allowed, Ids, Scores, Vectors
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.selecting import search_selected
from rankdistill.indexing.topk import Positions, best_first
from rankdistill.indexing.vectors import check_new, check_queries, distinct_rows, normalised

INDEX_FILE = "index.faiss"
DEFAULT_SEARCH: Mapping[str, Mapping[str, float]] = {
    "HNSW": {"efSearch": 128},
    "IVF": {"nprobe": 32},
    "(IVF": {"quantizer_nprobe": 32},
}
"""Search parameters by what the factory string has in it, before or behind whatever else; FAISS's own (16 and 1) find
too little."""

BOUNDS = {name: (1, inf) for name in ("efSearch", "nprobe", "quantizer_efSearch", "quantizer_nprobe", "k_factor")}
"""Outside them nothing is found, or FAISS stops in the midst of a search."""

_NAMES = {"k_factor": "k_factor_rf"}
"""Search parameters that `ParameterSpace` calls by another name."""

_PREPARED_AT_ONCE = 1 << 16
"""Vectors that are normalised together."""

_BUILDING = {"efConstruction", "verbose"}
"""What `ParameterSpace` sets, but no search reads."""


class FaissIndex:
    """A FAISS index with document ids.

    An index with a training stage (IVF, PQ) is trained on the vectors of the first `add`.

    Args:
        dimension: length of a vector.
        similarity: `cosine` or `dot`.
        factory: FAISS factory string.
        search_parameters: `efSearch`, `nprobe`, `k_factor`, ... on top of `DEFAULT_SEARCH`; they reach the index behind
            a transform, an `IDMap` or a `Refine`, and the quantizer of an IVF.
        threads: of `add` and training. HNSW graphs depend on the order in which threads link documents: only 1 gives
            the same bytes each time.

    Raises:
        MissingDependencyError: FAISS is not installed, or installed twice.
        ConfigError: FAISS does not understand the factory string or a search parameter.
    """

    def __init__(
        self,
        dimension: int,
        similarity: str,
        factory: str = "Flat",
        search_parameters: Mapping[str, float] | None = None,
        threads: int = 1,
    ) -> None:
        self.dimension = dimension
        self.similarity = similarity
        self.factory = factory
        self.threads = threads
        self.ids: list[str] = []
        self._on_gpu = False
        self._faiss = import_faiss()
        _require_sound(factory)
        try:
            self._index = self._faiss.index_factory(dimension, factory, self._faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise _refused(f"a FAISS factory string for vectors of length {dimension}", factory, error) from error
        self.set_search_parameters(search_parameters or {})

    @property
    def native(self) -> Any:
        """The object of FAISS that is searched, for calls that this class does not have; its row `i` is `ids[i]`."""
        return self._index

    def set_search_parameters(self, given: Mapping[str, float]) -> None:
        """Set `efSearch`, `nprobe`, ... for the searches to come; raises ConfigError for one that the index lacks."""
        for name, value in {**default_search(self.factory), **given}.items():
            try:
                if name in _BUILDING:
                    raise RuntimeError("searches do not read it")
                self._faiss.ParameterSpace().set_index_parameter(self._index, _NAMES.get(name, name), value)
            except RuntimeError as error:
                raise _refused(f"a search parameter of {self.factory}", f"{name}={value}", error) from error

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """See `Index.add`.

        Raises:
            ConfigError: there are fewer vectors than the index has centroids to train.
        """
        check_new(ids, vectors, self.dimension, self.ids)
        prepared = self._prepared(vectors)
        before = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(self.threads)
        try:
            if not self._index.is_trained:
                self._train(prepared)
            self._append(prepared)
        finally:
            self._faiss.omp_set_num_threads(before)
        self.ids.extend(ids)

    def search(self, vectors: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        positions, scores = self.find(vectors, k, allowed)
        return named(positions, self.ids), scores

    def find(self, vectors: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Positions, Scores]:
        """As `search`, with positions in `ids`, negative where it found no more."""
        check_queries(vectors, self.dimension, k)
        width = min(k, len(self.ids))
        if width == 0 or len(vectors) == 0:
            return np.empty((len(vectors), width), np.int64), np.empty((len(vectors), width), np.float32)
        if allowed is not None:
            self._require_selectable()
            return best_first(*search_selected(self._faiss, self._index, self._prepared(vectors), width, allowed))
        scores, positions = self._index.search(self._prepared(vectors), width)
        if positions.min() < 0:
            scores[positions < 0] = -np.inf
        return best_first(positions, scores)

    def vectors_at(self, positions: Positions) -> Vectors:
        """The vectors of these rows as they are compared, float32 `[n, dimension]`.

        Raises:
            ConfigError: the index keeps them in a coarser form only.
        """
        holder = _whole_vectors(self._faiss, self._index)
        if holder is None:
            raise ConfigError(
                expected="an index that keeps its vectors whole: exact, Flat, HNSW32, IVF256,Flat, or with a RFlat",
                got=f"{self.factory}, which keeps them in a coarser form",
                consequence="nothing was read",
                remedy="build an index with --factory exact of the same model, and take that",
            )
        if isinstance(holder, self._faiss.IndexIVF):
            holder.make_direct_map()
        found: Vectors = holder.reconstruct_batch(np.ascontiguousarray(positions, np.int64))
        return found

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        with files.atomic_path(folder / INDEX_FILE) as temporary:
            write_native(self._faiss, self._index, temporary)
        write_ids(folder, self.ids)

    @classmethod
    def load(
        cls,
        folder: Path,
        similarity: str,
        factory: str,
        search_parameters: Mapping[str, float] | None = None,
        mmap: bool = True,
        gpu: bool = False,
    ) -> FaissIndex:
        """Read what `save` wrote; with `mmap`, vectors stay on disk until they are searched.

        Raises:
            ConfigError: `gpu` is asked for and this FAISS sees none.
            DataError: the file is damaged.
        """
        faiss = import_faiss()
        flag = _mapping_flag(faiss, factory) if mmap and not gpu else 0
        stored = read_native(faiss, folder / INDEX_FILE, flag)
        index = cls(stored.d, similarity, factory)
        index._index = stored
        index.ids = read_ids(folder, stored.ntotal)
        index.set_search_parameters(search_parameters or {})
        if gpu:
            index._index, index._on_gpu = _on_gpu(faiss, stored), True
        return index

    @property
    def least_to_train(self) -> int:
        """How many vectors the first `add` must bring; 0 without a training stage."""
        return _least_to_train(self._faiss, self._index)

    def require_trainable(self, texts: int) -> None:
        """Raise ConfigError if `texts` distinct texts are too few to train on."""
        if texts < self.least_to_train:
            wanted = f"enough vectors to train {self.factory}, at least {self.least_to_train} that differ"
            raise _refused(wanted, f"{texts} vectors", RuntimeError("there are no more distinct texts in a shard"))

    def _require_selectable(self) -> None:
        if self._on_gpu:
            raise ConfigError(
                expected="an index on the CPU, which FAISS can filter",
                got="a filter on an index that GPUs search",
                consequence="nothing was searched",
                remedy="load it without gpu, or leave the filter out",
            )

    def _append(self, vectors: Vectors) -> None:
        try:
            if "IDMap" in self.factory:
                self._index.add_with_ids(vectors, np.arange(len(self.ids), len(self.ids) + len(vectors)))
            else:
                self._index.add(vectors)
        except (RuntimeError, MemoryError) as error:
            raise _refused(f"{self.factory} to take vectors", f"{len(vectors)} vectors", error) from error

    def _train(self, vectors: Vectors) -> None:
        try:
            self._index.train(vectors)
        except (RuntimeError, MemoryError) as error:
            wanted = f"enough vectors to train {self.factory}"
            raise _refused(wanted, f"{len(vectors)} vectors", error) from error

    def _prepared(self, vectors: Vectors) -> Vectors:
        vectors = np.ascontiguousarray(vectors, np.float32)
        if self.similarity != "cosine":
            return vectors
        if len(vectors) <= _PREPARED_AT_ONCE:
            return normalised(vectors)
        held = Spill()  # FAISS makes a copy of its own
        for start in range(0, len(vectors), _PREPARED_AT_ONCE):
            held.append_array(normalised(vectors[start : start + _PREPARED_AT_ONCE]))
        found: Vectors = held.array(np.float32).reshape(vectors.shape)
        return found


BUFFER = 2**20
"""Bytes that FAISS hands over at once."""


def write_native(faiss: Any, index: Any, path: Path) -> None:
    """Write an index of FAISS's own; through Python, as FAISS itself only prints that a last write failed."""
    with path.open("wb") as stream:
        faiss.write_index(index, faiss.PyCallbackIOWriter(stream.write, BUFFER))


def read_native(faiss: Any, path: Path, flag: int) -> Any:
    """What `write_native` wrote, mapped as `flag` says; DataError where the file is damaged."""
    try:
        return faiss.read_index(str(path), flag)
    except (RuntimeError, MemoryError) as error:
        raise damaged(f"an index of FAISS at {path}", str(error).rpartition("Error: ")[2]) from error


LEAST_LINKS, MOST_LINKS = 2, 4096
"""Of a document in a graph. With fewer FAISS ends the process; for more it asks memory beyond any machine's."""

_LINKS = re.compile(r"(?:HNSW|NSG)(\d+)")
_ZERO = re.compile(r"(?<![\d.])0+(?![\d.])")


def _require_sound(factory: str) -> None:
    """Raise ConfigError for numbers that FAISS takes, and then ends the process or finds nothing."""
    links = [int(found) for found in _LINKS.findall(factory)]
    if any(not LEAST_LINKS <= number <= MOST_LINKS for number in links):
        raise _refused(f"{LEAST_LINKS} to {MOST_LINKS} links a document", factory, RuntimeError(f"{links[0]} links"))
    if _ZERO.search(factory):
        raise _refused("a FAISS factory string of numbers above 0", factory, RuntimeError("it has a 0"))


def default_search(factory: str) -> Mapping[str, float]:
    """The search parameters of an index of this factory string where none are given."""
    return {name: value for part, found in DEFAULT_SEARCH.items() if part in factory for name, value in found.items()}


def hidden_search(factory: str) -> Mapping[str, float]:
    """Those of `default_search` that the beginning of the factory string does not give: once these were FAISS's own."""
    return {
        name: value
        for name, value in default_search(factory).items()
        if not any(factory.startswith(part) and name in found for part, found in DEFAULT_SEARCH.items())
    }


def _whole_vectors(faiss: Any, index: Any) -> Any:
    """The part of a FAISS index that holds its vectors in float32; None where none does."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexIDMap):
        return _whole_vectors(faiss, index.index)
    if isinstance(index, faiss.IndexRefine):
        return _whole_vectors(faiss, index.refine_index)
    whole = (faiss.IndexFlat, faiss.IndexHNSWFlat, faiss.IndexIVFFlat)
    return index if isinstance(index, whole) and not isinstance(index, faiss.IndexIVFFlatDedup) else None


def _least_to_train(faiss: Any, index: Any) -> int:
    """Vectors that FAISS's training stops without: one a centroid, of every layer."""
    index = faiss.downcast_index(index)
    if index.is_trained:
        return 0
    if isinstance(index, faiss.IndexPreTransform):
        chain = [faiss.downcast_VectorTransform(index.chain.at(place)) for place in range(index.chain.size())]
        rotations = [256 for transform in chain if isinstance(transform, faiss.OPQMatrix)]
        return max([1, *rotations, _least_to_train(faiss, index.index)])
    if isinstance(index, faiss.IndexIDMap):
        return _least_to_train(faiss, index.index)
    if isinstance(index, faiss.IndexRefine):
        return max(_least_to_train(faiss, part) for part in (index.base_index, index.refine_index))
    found = [1]
    if isinstance(index, faiss.IndexIVF) and isinstance(
        faiss.downcast_index(index.quantizer), (faiss.IndexFlat, faiss.IndexHNSW, faiss.IndexIVF)
    ):
        found.append(index.nlist)
    if isinstance(index, faiss.IndexHNSW):
        found.append(_least_to_train(faiss, index.storage))
    if hasattr(index, "pq"):
        found.append(index.pq.ksub)
    return max(int(least) for least in found)


def parse_search_parameters(given: Sequence[str]) -> dict[str, float]:
    """`NAME=VALUE` settings as typed.

    Raises:
        ConfigError: one is not of that form.
    """
    parsed = {}
    for setting in given:
        name, _, value = setting.partition("=")
        try:
            parsed[name] = float(value)
        except ValueError as error:
            raise ConfigError(
                expected="a search parameter as NAME=VALUE, such as efSearch=256 or nprobe=32",
                got=repr(setting),
                consequence="nothing was run",
                remedy="give a name, an equals sign and a number",
            ) from error
    return parsed


def import_faiss() -> Any:
    """The faiss module.

    Raises:
        MissingDependencyError: it is not installed, or both of the packages that provide it are.
    """
    installed = [name for name in ("faiss-cpu", "faiss-gpu") if _has(name)]
    if len(installed) > 1:
        raise MissingDependencyError(
            expected="one of faiss-cpu and faiss-gpu",
            got="both are installed, and they overwrite each other's files",
            consequence="nothing was run: which of the two would answer is unknown",
            remedy="pip uninstall faiss-cpu faiss-gpu, then install the one you want",
        )
    return require("faiss", "an index with a FAISS factory string")


def _has(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _mapping_flag(faiss: Any, factory: str) -> int:
    """Inverted lists and flat codes are mapped by two mechanisms that exclude each other."""
    return int(faiss.IO_FLAG_MMAP if "IVF" in factory else faiss.IO_FLAG_MMAP_IFC)


def _on_gpu(faiss: Any, index: Any) -> Any:
    if faiss.get_num_gpus() == 0:
        raise ConfigError(
            expected="a FAISS that sees a GPU",
            got="none",
            consequence="nothing was searched",
            remedy='search on the CPU, or install pip install "rankdistill[gpu]" in place of faiss-cpu',
        )
    return faiss.index_cpu_to_all_gpus(index)


def _refused(expected: str, got: str, error: Exception) -> ConfigError:
    return ConfigError(
        expected=expected,
        got=f"{got}: {str(error).rpartition(': ')[2]}",
        consequence="the index was not built or searched",
        remedy="write one as Flat, HNSW32 or IVF256,Flat; they are case-sensitive, without spaces"
        if "could not parse" in str(error)
        else "use a smaller factory (Flat and HNSW32 need no training; IVF64,PQ48 trains 256 centroids a code), "
        "larger shards, or another parameter",
    )


def _create(settings: IndexSettings, threads: int) -> FaissIndex:
    return FaissIndex(
        settings.dimension, settings.similarity, settings.factory, settings.search_parameters, threads=threads
    )


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> FaissIndex:
    return FaissIndex.load(
        folder, settings.similarity, settings.factory, settings.search_parameters, mmap=mmap, gpu=gpu
    )


BACKEND = Backend(
    _create,
    _load,
    search_parameters=None,
    bounds=BOUNDS,
    distinct=lambda settings: distinct_rows(settings.dimension, settings.similarity),
)

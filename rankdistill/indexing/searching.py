"""Index folders: loading them, and searching them with text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rankdistill import integrity, locations, manifest
from rankdistill.display import Shown
from rankdistill.errors import ConfigError, DataError, ModelReferenceError
from rankdistill.indexing import registry
from rankdistill.indexing.arrays import damaged
from rankdistill.indexing.base import NOTHING, Allowed, Ids, Scores, Searcher
from rankdistill.indexing.documents import CONTENTS_FILE, read_snippets
from rankdistill.indexing.filters.fields import Fields, read_fields
from rankdistill.indexing.filters.grouping import FilterLike, Masks, search_grouped
from rankdistill.indexing.filters.language import Filter, parse
from rankdistill.indexing.kinds import DENSE, KINDS, TEXT, Kind, Queries
from rankdistill.indexing.sharded import ShardedIndex

if TYPE_CHECKING:
    import polars as pl


class Hit(NamedTuple):
    """A document found; `score` is a cosine, a dot product or BM25's, as the index's space says."""

    doc_id: str
    score: float


@dataclass(frozen=True)
class StoredIndex(Shown):
    """A finished index folder, loaded; a `Searcher`. It stands for its folder wherever a path will do.

    Args:
        folder: where it lies.
        searcher: the index itself, or its shards together.
        made: its manifest.
        searched_with: search parameters in place of those that the manifest keeps.
    """

    folder: Path
    searcher: Searcher[Any]
    made: manifest.Manifest
    searched_with: Mapping[str, float] = field(default_factory=dict)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        model = "" if self.model is None else f", {self.model}"
        return f"StoredIndex({str(self.folder)!r}: {self._held}{model})"

    @property
    def _held(self) -> str:
        return f"{len(self.ids):,} documents, {self.size / 1e6:,.1f} MB, {self.factory}"

    def lines(self) -> list[str]:
        """How much it holds, and what searches it."""
        return [f"{self.folder}: {self._held}"]

    def to_polars(self) -> pl.DataFrame:
        """A document a row, in insertion order: doc_id, and the beginning of its text where the index keeps that."""
        import polars as pl

        kept = self.snippets(self.ids)
        rows = {"doc_id": self.ids, "snippet": [kept.get(doc_id) for doc_id in self.ids]}
        return pl.DataFrame(rows, schema={"doc_id": pl.String, "snippet": pl.String})

    def to_json(self) -> dict[str, Any]:
        """Its folder, how much it holds, and how it was built."""
        settings = ("kind", "factory", "model", "max_length", "shard_size", "search_parameters", "build_parameters")
        made = {name: self.made.parameters[name] for name in settings if name in self.made.parameters}
        made |= {"fields": self.schema} if self.schema else {}
        return {"index": str(self.folder), "documents": len(self.ids), "bytes": self.size, **made}

    @property
    def ids(self) -> list[str]:
        """The document ids in insertion order."""
        return self.searcher.ids

    @property
    def kind(self) -> Kind:
        """What is searched: dense vectors, sparse ones, or texts."""
        return _kind(self.made)

    @property
    def factory(self) -> str:
        """The back end's name, or the FAISS factory string."""
        return str(self.made.parameters["factory"])

    @property
    def space(self) -> Any:
        """The `AnySpace` of its documents: a query model must have the same, or be aligned with it."""
        return self.kind.space(**self.made.parameters["space"])

    @property
    def model(self) -> str | None:
        """Reference of the model that it was built with; None for an index of texts."""
        found: str | None = self.made.parameters["model"]
        return found

    @property
    def max_length(self) -> int | None:
        """Tokens a text when it was built; None means the model's own."""
        found: int | None = self.made.parameters["max_length"]
        return found

    @property
    def search_effects(self) -> dict[str, Any]:
        """What decides its searches beside what it was built from, for the identity of their results."""
        return {**registry.search_effects(_settings(self.made, self.searched_with)), **self.searched_with}

    @property
    def size(self) -> int:
        """Bytes on disk of what is searched: without the snippets, and the hash of the texts."""
        kept = (name for name in self.made.outputs if "snippets" not in name and name != CONTENTS_FILE)
        return sum((self.folder / name).stat().st_size for name in kept)

    def open_query_encoder(
        self, model: str | None = None, backend: str = "auto", max_length: int | None = None
    ) -> Queries:
        """The encoder of queries: the index's own model, or the model or bundle `model`.

        Raises:
            ConfigError: a model for an index of texts.
            ModelReferenceError: there is no such model; the index keeps a path as it was written when it was built.
        """
        if model is not None and self.kind is TEXT:
            raise ConfigError(
                expected=f"no model: {self.folder} holds texts, which {self.factory!r} compares by their words",
                got=repr(model),
                consequence="nothing was searched",
                remedy="leave the model out",
            )
        try:
            return self.kind.open_queries(model or self.model, backend, max_length, self.space)
        except ModelReferenceError as error:
            if model is not None:
                raise
            raise ModelReferenceError(
                expected=f"the model that {self.folder} was built with, under the name that it had then",
                got=error.got,
                consequence="nothing was searched",
                remedy=f"name the model where it is now (--model), or search where the index was built; {error.remedy}",
            ) from error

    @property
    def schema(self) -> dict[str, str]:
        """Field -> type of those that it keeps, as `rankdistill.indexing.filters.types.TYPES` names them."""
        return dict(self.made.parameters.get("fields", {}))

    @cached_property
    def fields(self) -> Fields:
        """The fields of its documents, by position; read when they are first asked for.

        Raises:
            DataError: their files are damaged.
        """
        return read_fields(locations.listing(self.folder, "shard-*"), self.schema, len(self.ids))

    def fields_of(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Field -> value of each of the documents `ids`, without those that it lacks."""
        if not self.schema or not ids:
            return [{} for _ in ids]
        return self.fields.at([self.place_of[doc_id] for doc_id in ids])

    def filter(self, given: FilterLike) -> Filter:
        """The filter that JSON says, or one that was read already; see `rankdistill.indexing.filters.parse`.

        Raises:
            ConfigError: an unknown field, or a value of another type.
        """
        return given if isinstance(given, Filter) else parse(given, self.schema)

    def allowed(self, given: FilterLike) -> Allowed:
        """Which documents a filter lets a search find, bool `[documents]`; raises as `filter` does."""
        return self._masks.of(self.filter(given), self.fields)

    def among(self, ids: Iterable[str]) -> Allowed:
        """Which documents are one of `ids`, bool `[documents]`; those that it does not hold count for nothing."""
        found = np.zeros(len(self.ids), np.bool_)
        found[[place for doc_id in ids if (place := self.place_of.get(doc_id)) is not None]] = True
        return found

    def search(
        self,
        queries: Any,
        k: int,
        allowed: Allowed | None = None,
        *,
        filter: FilterLike | None = None,
        filters: Sequence[FilterLike | None] | None = None,
    ) -> tuple[Ids, Scores]:
        """See `Searcher.search`.

        Args:
            queries: as the kind of the index takes them.
            k: documents a query.
            allowed: those that may be found, in the order of `ids`.
            filter: what documents must be that are found, for all queries.
            filters: one a query, None for none; those with equal ones are searched together.

        Raises:
            ConfigError: an unknown field, or a value of another type; filters of another number than queries.
        """
        if filters is not None:
            read = [None if one is None else self.filter(one) for one in filters]
            search = lambda some, found: self.search(some, k, allowed, filter=found)  # noqa: E731
            return search_grouped(queries, read, self.kind.rows, search)
        if filter is not None:
            found = self.allowed(filter)
            allowed = found if allowed is None else found & allowed
        return self.searcher.search(queries, k) if allowed is None else self.searcher.search(queries, k, allowed)

    def search_texts(
        self,
        queries: Sequence[str],
        k: int,
        encoder: Any,
        *,
        filter: FilterLike | None = None,
        filters: Sequence[FilterLike | None] | None = None,
    ) -> list[list[Hit]]:
        """The best `k` documents for each query, best first.

        Args:
            queries: any number of texts.
            k: documents a query.
            encoder: of the queries, as `open_query_encoder` gives it.
            filter: see `search`.
            filters: see `search`.

        Raises:
            SpaceMismatchError: `encoder` embeds into another space.
            ConfigError: see `search`.
        """
        self.kind.require(self.space, encoder.query_spaces, False)
        filter = None if filter is None else self.filter(filter)  # refused before anything is encoded
        filters = None if filters is None else [None if one is None else self.filter(one) for one in filters]
        ids, scores = self.search(encoder.encode_queries(queries), k, filter=filter, filters=filters)
        return [
            [Hit(doc_id, float(score)) for doc_id, score in zip(*row, strict=True) if doc_id != NOTHING]
            for row in zip(ids, scores, strict=True)
        ]

    @cached_property
    def place_of(self) -> Mapping[str, int]:
        """Document id -> its place in the order of `ids`."""
        return {doc_id: place for place, doc_id in enumerate(self.ids)}

    @cached_property
    def _masks(self) -> Masks:
        return Masks()

    def snippets(self, ids: Sequence[str]) -> dict[str, str]:
        """The beginnings of the documents `ids`, where the index keeps them."""
        shards = locations.listing(self.folder, "shard-*")
        return {doc_id: text for shard in shards for doc_id, text in read_snippets(shard, ids).items()}


def load(
    path: str | Path,
    mmap: bool = True,
    *,
    gpu: bool = False,
    search_parameters: Mapping[str, float] | None = None,
) -> StoredIndex:
    """Load an index folder.

    Args:
        path: the folder.
        mmap: leave vectors on disk until they are searched, where the back end can.
        gpu: search FAISS indexes on all GPUs; needs faiss-gpu.
        search_parameters: `efSearch`, `nprobe`, ... on top of those that the index was built with.

    Raises:
        DataError: the folder is absent, unfinished, damaged or no index, or of a kind that this version does not know.
        ConfigError: the back end has no such search parameter.
    """
    folder = Path(path)
    made = manifest.expect(folder, "index", "index")
    _require_files(folder, made)
    integrity.require_below(folder)
    settings = _settings(made, search_parameters or {})
    registry.require_known(settings)
    shards: list[Searcher[Any]] = [
        registry.load(shard, settings, mmap, gpu) for shard in locations.listing(folder, "shard-*")
    ]
    kept = made.parameters["search_parameters"]
    other = {name: value for name, value in (search_parameters or {}).items() if kept.get(name) != value}
    return StoredIndex(folder, shards[0] if len(shards) == 1 else ShardedIndex(shards), made, other)


def opened(index: str | Path | StoredIndex, search_parameters: Mapping[str, float] | None = None) -> StoredIndex:
    """The index in a folder, or one that is loaded already, with these search parameters on top of those it has.

    Raises:
        DataError: see `load`.
        ConfigError: see `load`.
    """
    if not isinstance(index, StoredIndex):
        return load(index, search_parameters=search_parameters)
    if not search_parameters:
        return index
    return load(index.folder, search_parameters={**index.searched_with, **search_parameters})


def _settings(made: manifest.Manifest, search_parameters: Mapping[str, float]) -> registry.IndexSettings:
    """The settings that a manifest keeps, with these search parameters on top."""
    space = _kind(made).space(**made.parameters["space"])
    return registry.IndexSettings(
        space.dimension,
        space.similarity,
        made.parameters["factory"],
        {**made.parameters["search_parameters"], **search_parameters},
        made.parameters.get("build_parameters", {}),
        _kind(made).name,
        filtered=bool(made.parameters.get("fields")),
    )


def _require_files(folder: Path, made: manifest.Manifest) -> None:
    """Raise DataError if a file is gone; without this, a shard that is gone would only mean fewer documents."""
    gone = sorted(name for name in made.outputs if not (folder / name).is_file())
    if gone:
        raise damaged(f"the {len(made.outputs)} files of the index in {folder}", f"{len(gone)} are gone, as {gone[0]}")


def _kind(made: manifest.Manifest) -> Kind:
    """The kind of index that a manifest describes; those that do not say it are dense."""
    name = made.parameters.get("kind", DENSE.name)
    if name not in KINDS:
        raise DataError(
            expected=f"an index of a known kind: {', '.join(KINDS)}",
            got=repr(name),
            consequence="the index was not loaded",
            remedy="use the rankdistill that wrote it, or build the index again",
        )
    return KINDS[name]


def search(
    path: str | Path,
    queries: Sequence[str],
    k: int = 10,
    *,
    model: str | None = None,
    backend: str = "auto",
    search_parameters: Mapping[str, float] | None = None,
    filter: FilterLike | None = None,
) -> list[list[Hit]]:
    """Search the index folder `path` with texts.

    Args:
        path: the folder.
        queries: any number of texts.
        k: documents a query.
        model: of the queries: the index's own, a student aligned with it, or a bundle; the index's own unless given.
        backend: of `TextEncoder`.
        search_parameters: see `load`.
        filter: what documents must be that are found.

    Raises:
        SpaceMismatchError: `model` embeds into another space than the index's.
        ConfigError: a model for an index of texts, or an unknown search parameter.
    """
    index = load(path, search_parameters=search_parameters)
    return index.search_texts(queries, k, index.open_query_encoder(model, backend), filter=filter)

"""Encoding a corpus into an index folder, shard by shard."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, BinaryIO

from rankdistill import files, integrity, locations, manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.executors.base import Executor
from rankdistill.indexing import registry
from rankdistill.indexing.arrays import RowsFile
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.contents import Contents
from rankdistill.indexing.documents import CONTENTS_FILE, keeping_snippets, write_ids
from rankdistill.indexing.elsewhere import Blocks, Elsewhere, EncoderSpec
from rankdistill.indexing.encoding import ENCODED_AT_ONCE, Block, copies, distinct, distinct_texts, write
from rankdistill.indexing.filters import fields, schema
from rankdistill.indexing.kinds import (
    DENSE,
    KINDS,
    MULTI_VECTOR,
    SPARSE,
    TEXT,
    Documents,
    Encoder,
    Kind,
    of_model,
    of_space,
)
from rankdistill.indexing.stored import with_stored
from rankdistill.inference.backends import BACKENDS, FAST
from rankdistill.inference.calibration import documentation_pairs
from rankdistill.inference.fastest import variants
from rankdistill.making import is_whole_part, making, visible_files
from rankdistill.notes import note
from rankdistill.progress import Progress
from rankdistill.records import Document
from rankdistill.space import AnySpace

SHARD_BYTES = 1 << 30
"""Memory that a shard may take, where nothing else is asked for."""

LINKS_BYTES, SPARSE_TERMS, TOKENS = 320, 256, 300
"""Of a document: what a graph keeps beside its vector; terms with a weight; token vectors."""

ENCODING = "encoding"
"""Folder, inside that of an unfinished index, of what workers in other processes encode."""


@dataclass(frozen=True)
class BuildSettings:
    """How to build an index; see `build`."""

    kind: str
    factory: str
    shard_size: int | None
    search_parameters: Mapping[str, float]
    build_parameters: Mapping[str, Any]
    snippet_length: int
    threads: int
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.shard_size is not None and self.shard_size < 1:
            raise ConfigError(
                expected="a shard of at least 1 document",
                got=f"shard_size={self.shard_size}",
                consequence="nothing was built",
                remedy="give a larger shard size, or none",
            )
        if self.shard_size is not None and not KINDS[self.kind].sharded:
            raise ConfigError(
                expected=f"one shard of {self.factory!r}",
                got=f"shard_size={self.shard_size}",
                consequence="nothing was built: each shard would weigh words by its own documents alone",
                remedy="leave the shard size out",
            )

    def index(self, space: AnySpace, vocabulary: Sequence[str] = ()) -> registry.IndexSettings:
        """What the back end gets."""
        return registry.IndexSettings(
            space.dimension,
            space.similarity,
            self.factory,
            self.search_parameters,
            self.build_parameters,
            self.kind,
            vocabulary,
            bool(self.fields),
        )


def build(
    dataset: Dataset,
    model: str | None,
    out: Path,
    factory: str = "exact",
    shard_size: int | None = None,
    *,
    kind: str | None = None,
    search_parameters: Mapping[str, float] | None = None,
    build_parameters: Mapping[str, Any] | None = None,
    snippet_length: int = 200,
    fields: schema.Wanted | None = None,
    threads: int = 1,
    max_length: int | None = None,
    backend: str = "auto",
    encoder: Documents | None = None,
    embeddings: str | Path | None = None,
    executor: Executor | None = None,
    command: str = "",
    progress: Progress = lambda done: None,
) -> bool:
    """Encode the corpus of `dataset` with `model` and write the index folder `out`.

    A shard that a killed run finished is kept.

    Args:
        dataset: the documents.
        model: reference of the model, or folder of a bundle; the manifest keeps it, and searches use it. None where the
            back end compares words.
        out: the index folder.
        factory: a back end of `registry.BACKENDS`, such as `exact`, `seismic` or `bm25`; or a FAISS factory string.
        shard_size: documents a shard; None: one shard, or as many as `default_shard_size` says. Memory holds one
            shard's index; of `exact` and BM25 it does not grow with the shard.
        kind: a name in `kinds.KINDS`; told by the back end and the model unless given.
        search_parameters: kept as the index's defaults: FAISS's `efSearch`, `nprobe`, Seismic's `query_cut`, ...
        build_parameters: of the back end: `k1`, `b` and `tokenizer` of BM25, ...
        snippet_length: how many characters of each document to keep for showing results; 0 keeps none.
        fields: of the documents' metadata that the index keeps, for filters and for showing: name -> type, None for the
            one that holds all values; see `rankdistill.indexing.filters`.
        threads: of adding to FAISS. With more than 1, an HNSW graph differs from run to run.
        max_length: tokens a text; None takes the model's own.
        backend: of `TextEncoder`; an index that was begun with one goes on with it where `fast` is asked for.
        encoder: `model`, already loaded.
        embeddings: folder of an embedding store of `model`; documents that it holds are not encoded.
        executor: who encodes; this process by default. Workers in other processes load `model` themselves.
        command: the command line, for the manifest.
        progress: called with the number of documents just encoded.

    Returns:
        False if `out` already was this very index and nothing had to be done.

    Raises:
        StaleOutputError: `out` holds another index.
        DataError: the corpus is empty; a field that no document has, or a value of another type.
        SpaceMismatchError: the embeddings are of another space than the model's.
        ConfigError: a setting that is unknown, or that the kind of index does not have; embeddings of an index that is
            not dense, or beside workers elsewhere; a FAISS factory string that the
            vectors' length does not suit, or that needs more distinct texts a shard to train on. Nothing is encoded.
    """
    chosen = _kind(model, factory, kind, encoder)
    resolved = schema.resolve(fields or {}, dataset)
    settings = BuildSettings(
        chosen.name,
        factory,
        shard_size,
        dict(search_parameters or {}),
        dict(build_parameters or {}),
        snippet_length,
        threads,
        resolved,
    )
    if encoder is None:
        encoder = chosen.open_documents(model, backend, max_length)
        if backend == FAST and model is not None:
            backend, encoder = _settled(out, chosen, model, max_length, encoder)
    registry.require_known(settings.index(encoder.space))
    if shard_size is None:
        most = default_shard_size(settings.index(encoder.space), encoder.space)
        if most is not None and most < len(dataset.document_lines):
            settings = replace(settings, shard_size=most)
            note(f"{len(dataset.document_lines):,} documents are indexed in shards of {most:,}, as memory holds one")
    _require_encodable(chosen, executor)
    identity = encoder.fingerprint
    if embeddings is not None:
        _require_vectors(chosen, executor, embeddings)
        encoder = stored = with_stored(encoder, embeddings)
        identity = stored.identity
    wanted = _manifest(dataset, model, encoder.space, identity, settings, max_length, command)

    def check() -> None:
        _require_own_shards(out, wanted, dataset)
        registry.require_usable(settings.index(encoder.space), lambda: _distinct_texts(dataset, settings.shard_size))

    with making(out, wanted, check=check) as made:
        if made.current:
            return False
        elsewhere = None
        if executor is not None and executor.remote and model is not None:
            blocks = Blocks(out / ENCODING / wanted.identity[:16])
            spec = EncoderSpec(model, backend, max_length)
            elsewhere = Elsewhere(blocks, spec, wanted.inputs["model"], executor)
        if not _Builder(out, encoder, settings, wanted, progress, elsewhere).build(dataset):
            raise DataError(
                expected="a corpus with documents",
                got=f"none in {dataset.path}",
                consequence="no index was built",
                remedy="check corpus.jsonl",
            )
        files.remove_folder(out / ENCODING)
        of_shards = [path for shard in _shard_folders(out) for path in visible_files(shard)]
        made.wrote([*of_shards, out / CONTENTS_FILE])
    return True


def _settled(out: Path, kind: Kind, model: str, max_length: int | None, encoder: Encoder) -> tuple[str, Encoder]:
    """The name of the back end that `fast` is for this index, and the encoder that it runs.

    What `out` holds of this model by another back end is kept: two of them in one index would be two models.
    """
    held = {
        made.inputs.get("model")
        for made in (manifest.read(out), *map(_readable, _shard_folders(out)))
        if made is not None
    }
    if held and manifest.digest(encoder.fingerprint) not in held:
        for name, fingerprint in variants(encoder.fingerprint, documentation_pairs()):
            if manifest.digest(fingerprint) in held:
                note(f"fast: {out} was begun with {name}, and goes on with it")
                return name, kind.open_documents(model, name, max_length)
    name = str(getattr(encoder, "backend", "torch"))
    return name if name in BACKENDS else "torch", encoder


def _kind(model: str | None, factory: str, name: str | None, encoder: Documents | None) -> Kind:
    if name is not None:
        return KINDS[name]
    return of_model(model, factory) if encoder is None else of_space(encoder.space)


def _shards_of(dataset: Dataset, shard_size: int | None) -> Iterator[Iterator[str]]:
    """The texts of each shard, which must be read before the next one's."""
    remaining = (row.contents for row in dataset.documents())
    while (first := next(remaining, None)) is not None:
        shard = chain([first], islice(remaining, None if shard_size is None else shard_size - 1))
        yield shard
        deque(shard, maxlen=0)


def _distinct_texts(dataset: Dataset, shard_size: int | None) -> int:
    """How many distinct texts the shard with the fewest has; each has at most one vector."""
    return min(map(distinct, _shards_of(dataset, shard_size)), default=0)


def copies_in(dataset: Dataset, shard_size: int | None) -> int:
    """How many documents have the text of an earlier one of their shard."""
    return sum(map(copies, _shards_of(dataset, shard_size)))


def default_shard_size(settings: registry.IndexSettings, space: AnySpace) -> int | None:
    """How many documents take `SHARD_BYTES` while their shard is built, by estimate; None: any number of them.

    Vectors count with what the back ends here keep beside them; a document is taken for `SPARSE_TERMS` terms, or for
    as many token vectors as its model reads tokens, `TOKENS` at most.
    """
    if not KINDS[settings.kind].sharded or registry.rows_file(settings) is not None:
        return None
    each = 4 * space.dimension + LINKS_BYTES
    if settings.kind == SPARSE.name:
        each = 24 * SPARSE_TERMS
    elif settings.kind == MULTI_VECTOR.name:
        tokens = min(TOKENS, getattr(space, "max_length", None) or TOKENS)
        each = 3 * 4 * space.dimension * tokens
    return max(1, SHARD_BYTES // each)


def _require_encodable(kind: Kind, executor: Executor | None) -> None:
    if executor is not None and executor.remote and kind is not DENSE:
        raise ConfigError(
            expected="an index of dense vectors, which other processes can encode",
            got=f"a {kind.name} index",
            consequence="nothing was built",
            remedy="leave the executor out",
        )


def _require_vectors(kind: Kind, executor: Executor | None, embeddings: str | Path) -> None:
    if kind is not DENSE or (executor is not None and executor.remote):
        what = f"a {kind.name} index" if kind is not DENSE else "workers that encode elsewhere"
        raise ConfigError(
            expected="a dense index that this process makes, beside the embeddings of its model",
            got=f"{what}, and the embeddings {embeddings}",
            consequence="nothing was built: they would have no effect",
            remedy="leave the embeddings out",
        )


def shard_name(number: int) -> str:
    """Folder of shard `number` inside the index folder."""
    return f"shard-{number:05d}"


def _shard_folders(out: Path) -> list[Path]:
    return locations.listing(out, "shard-*")


def _readable(folder: Path) -> manifest.Manifest | None:
    """The manifest of a shard; None where it is damaged, too."""
    try:
        return manifest.read(folder)
    except DataError:
        return None


def _require_own_shards(out: Path, wanted: manifest.Manifest, dataset: Dataset) -> None:
    """Raise StaleOutputError where folders lie that would be taken for shards of this index, or cleared for them.

    Args:
        out: the index folder.
        wanted: the manifest that the index will have.
        dataset: the documents.
    """
    size = wanted.parameters["shard_size"] or max(1, len(dataset.doc_ids))
    own = {shard_name(number) for number in range(-(-len(dataset.doc_ids) // size))}
    begun = locations.is_file(out / files.LOCK_NAME) or manifest.read(out) is not None
    for folder in _shard_folders(out):
        foreign = not begun and not integrity.is_ours(folder / manifest.FILE_NAME) and any(locations.listing(folder))
        if folder.name not in own or foreign:
            raise StaleOutputError(
                expected=f"{out} to be empty, or to hold this index with its {len(own):,} shards",
                got=f"{folder}, which is " + ("not of an index" if foreign else "a shard of another one"),
                consequence="nothing was changed",
                remedy="choose another output, or remove that folder",
            )


def _manifest(
    dataset: Dataset,
    model: str | None,
    space: AnySpace,
    identity: Mapping[str, Any],
    settings: BuildSettings,
    max_length: int | None,
    command: str,
) -> manifest.Manifest:
    return manifest.Manifest(
        artefact="index",
        inputs={"data": dataset.fingerprint, "model": manifest.digest(identity)},
        parameters={
            "model": model,
            "max_length": max_length,
            "space": space.to_json(),
            "kind": settings.kind,
            "factory": settings.factory,
            "shard_size": settings.shard_size,
            "search_parameters": dict(settings.search_parameters),
            "build_parameters": dict(registry.build_parameters(settings.index(space))),
            "snippet_length": settings.snippet_length,
            **({"fields": dict(settings.fields)} if settings.fields else {}),
            **registry.build_effects(settings.index(space), lambda: copies_in(dataset, settings.shard_size)),
        },
        versions=manifest.versions_of("numpy", "faiss-cpu", "faiss-gpu", "bm25s", "pyseismic-lsr", "pyserini"),
        command=command,
    )


@dataclass(frozen=True)
class _Builder:
    """Builds the shards of one index.

    Args:
        out: the index folder.
        encoder: of the documents.
        settings: of the index.
        whole: the manifest that the index will have.
        progress: told of documents that are done.
        elsewhere: who encodes, if not this process.
    """

    out: Path
    encoder: Documents
    settings: BuildSettings
    whole: manifest.Manifest
    progress: Progress
    elsewhere: Elsewhere | None

    def build(self, dataset: Dataset) -> int:
        """Build every shard that is not there yet; the number of shards."""
        if self.elsewhere is not None:
            missing = (
                (shard.number, distinct_texts([row.contents for row in documents])[0])
                for shard, documents in self._read(dataset)
                if not is_whole_part(self.out / shard_name(shard.number), self._wanted(shard))
            )
            self.elsewhere.encode(missing, self.progress)
        # Not strict: where nothing is kept, there is no end of it.
        shards, contents = 0, Contents()
        for (shard, documents), kept in zip(self._read(dataset, contents.passing), self._fields(dataset), strict=False):
            self._build_shard(shard, documents, kept)
            shards += 1
        if shards:
            contents.write(self.out)
        return shards

    def _read(
        self, dataset: Dataset, passing: Callable[[Iterable[Document]], Iterator[Document]] = iter
    ) -> Iterator[tuple[_Shard, Iterator[Document]]]:
        """Each shard with its documents, of which those that are not read are passed over."""
        remaining, ids = passing(dataset.documents()), dataset.doc_ids
        size = self.settings.shard_size or max(1, len(ids))
        for number, start in enumerate(range(0, len(ids), size)):
            documents = islice(remaining, size)
            yield _Shard(number, ids if size >= len(ids) else ids[start : start + size]), documents
            deque(documents, maxlen=0)

    def _fields(self, dataset: Dataset) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Those of each shard's documents."""
        if not self.settings.fields:
            yield from repeat([])
        remaining = schema.values(self.settings.fields, dataset)
        while shard := list(islice(remaining, self.settings.shard_size)):
            yield shard

    def _wanted(self, shard: _Shard) -> manifest.Manifest:
        """The manifest that the shard will have."""
        ids = manifest.digest_strings(shard.ids)
        return replace(self.whole, artefact="index shard", inputs={**self.whole.inputs, "documents": ids})

    def _build_shard(self, shard: _Shard, documents: Iterator[Document], kept: Sequence[Mapping[str, Any]]) -> None:
        folder, settings = self.out / shard_name(shard.number), self.settings
        with making(folder, self._wanted(shard), part=True) as made:
            if made.current:
                self.progress(len(shard.ids))
                return
            files.remove_folder(folder, whole=True)  # what a killed or damaged build left is not of this one
            files.make_folder(folder)
            with keeping_snippets(folder, settings.snippet_length) as texts:
                self._index(shard, texts(documents), folder)
            if settings.fields:
                fields.write_fields(folder, fields.table_of(settings.fields, kept))
            made.wrote()

    def _index(self, shard: _Shard, texts: Iterator[str], folder: Path) -> None:
        """Write the index of the shard's texts into its folder."""
        settings, kind = self.settings, KINDS[self.settings.kind]
        wanted = settings.index(self.encoder.space, kind.vocabulary(self.encoder))
        kept = registry.rows_file(wanted)
        if kept is not None:
            with files.atomic_path(folder / kept.name) as temporary, temporary.open("w+b", buffering=0) as stream:
                self._write(shard, texts, stream, lambda vectors: kept.prepare(vectors, wanted))
            write_ids(folder, shard.ids)
            return
        index = registry.create(wanted, threads=settings.threads)
        if kind is DENSE:
            with files.output_errors(folder), tempfile.TemporaryFile(dir=folder, buffering=0) as stream:
                vectors = self._write(shard, texts, stream, lambda vectors: vectors).mapped()
            index.add(shard.ids, vectors)
        elif kind is TEXT:
            index.add(shard.ids, self._told(texts))
        else:
            index.add(shard.ids, kind.encode_each(self.encoder, list(texts), self.progress))
        index.save(folder)

    def _write(
        self, shard: _Shard, texts: Iterator[str], stream: BinaryIO, prepare: Callable[[Vectors], Vectors]
    ) -> RowsFile:
        """The vectors of the shard, written to `stream`."""
        out = RowsFile(stream, len(shard.ids), self.encoder.space.dimension)
        encode = self._encode if self.elsewhere is None else self.elsewhere.blocks.reading(shard.number)
        write(encode, shard.ids, texts, out, prepare, self.progress)
        return out

    def _told(self, texts: Iterator[str]) -> Iterator[str]:
        while some := list(islice(texts, ENCODED_AT_ONCE)):
            yield from some
            self.progress(len(some))

    def _encode(self, block: Block) -> Vectors:
        found: Vectors = self.encoder.encode_documents(block.texts, self.progress)
        return found


@dataclass(frozen=True)
class _Shard:
    """A shard by number, and its documents."""

    number: int
    ids: Sequence[str]

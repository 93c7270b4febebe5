"""Encoding a corpus into an index folder, shard by shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rankdistill import files, manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.index import registry
from rankdistill.index.documents import write_snippets
from rankdistill.index.encoding import DocumentEncoder, Progress, encode
from rankdistill.records import Document


@dataclass(frozen=True)
class BuildSettings:
    """How to build an index; see `build`."""

    factory: str
    shard_size: int | None
    search_parameters: Mapping[str, float]
    snippet_length: int
    threads: int

    def __post_init__(self) -> None:
        if self.shard_size is not None and self.shard_size < 1:
            raise ConfigError(
                expected="a shard of at least 1 document",
                got=f"shard_size={self.shard_size}",
                consequence="nothing was built",
                remedy="give a larger shard size, or none",
            )


def build(
    dataset: Dataset,
    model: str,
    out: Path,
    factory: str = "exact",
    shard_size: int | None = None,
    *,
    search_parameters: Mapping[str, float] | None = None,
    snippet_length: int = 200,
    threads: int = 1,
    max_length: int | None = None,
    backend: str = "auto",
    encoder: DocumentEncoder | None = None,
    command: str = "",
    progress: Progress = lambda done: None,
) -> bool:
    """Encode the corpus of `dataset` with `model` and write the index folder `out`.

    A shard that a killed run finished is kept.

    Args:
        dataset: the documents.
        model: reference of the model; the manifest keeps it, and searches use it.
        out: the index folder.
        factory: `exact`, or a FAISS factory string.
        shard_size: documents a shard; None makes one shard. Memory holds one shard's texts and vectors.
        search_parameters: of FAISS, kept as the index's defaults: `efSearch`, `nprobe`, ...
        snippet_length: how many characters of each document to keep for showing results; 0 keeps none.
        threads: of adding to FAISS. With more than 1, an HNSW graph differs from run to run.
        max_length: tokens a text; None takes the model's own.
        backend: of `TextEncoder`.
        encoder: `model`, already loaded.
        command: the command line, for the manifest.
        progress: called with the number of documents just encoded.

    Returns:
        False if `out` already was this very index and nothing had to be done.

    Raises:
        StaleOutputError: `out` holds another index.
        DataError: the corpus is empty.
    """
    settings = BuildSettings(factory, shard_size, dict(search_parameters or {}), snippet_length, threads)
    encoder = encoder or _load_encoder(model, backend, max_length)
    wanted = _manifest(dataset, model, encoder, settings, max_length, command)
    if manifest.is_current(out, wanted):
        return False
    with files.exclusive(out):
        files.remove_temporaries(out)
        shards = 0
        for documents in _shards(dataset.documents(), settings.shard_size):
            _build_shard(out / shard_name(shards), documents, encoder, settings, wanted, progress)
            shards += 1
        if not shards:
            raise DataError(
                expected="a corpus with documents",
                got=f"none in {dataset.path}",
                consequence="no index was built",
                remedy="check corpus.jsonl",
            )
        replace(wanted, outputs=_hashes(out, out.glob("shard-*/*.*"))).write(out)
    return True


def shard_name(number: int) -> str:
    """Folder of shard `number` inside the index folder."""
    return f"shard-{number:05d}"


def _load_encoder(model: str, backend: str, max_length: int | None) -> DocumentEncoder:
    from rankdistill.inference import TextEncoder

    return TextEncoder(model, backend=backend, max_length=max_length)


def _manifest(
    dataset: Dataset,
    model: str,
    encoder: DocumentEncoder,
    settings: BuildSettings,
    max_length: int | None,
    command: str,
) -> manifest.Manifest:
    return manifest.Manifest(
        artefact="index",
        inputs={"data": dataset.fingerprint, "model": manifest.digest(encoder.fingerprint)},
        parameters={
            "model": model,
            "max_length": max_length,
            "space": encoder.space.to_json(),
            "factory": settings.factory,
            "shard_size": settings.shard_size,
            "search_parameters": dict(settings.search_parameters),
            "snippet_length": settings.snippet_length,
        },
        versions=manifest.versions_of("numpy", "faiss-cpu", "faiss-gpu"),
        command=command,
    )


def _shards(documents: Iterable[Document], size: int | None) -> Iterator[list[Document]]:
    remaining = iter(documents)
    while shard := list(islice(remaining, size)):
        yield shard


def _build_shard(
    folder: Path,
    documents: list[Document],
    encoder: DocumentEncoder,
    settings: BuildSettings,
    whole: manifest.Manifest,
    progress: Progress,
) -> None:
    ids = [document.doc_id for document in documents]
    wanted = replace(whole, artefact="index shard", inputs={**whole.inputs, "documents": manifest.digest(ids)})
    files.make_folder(folder)
    if manifest.is_current(folder, wanted):
        progress(len(ids))
        return
    space = encoder.space
    index = registry.create(
        registry.IndexSettings(space.dimension, space.similarity, settings.factory, settings.search_parameters),
        threads=settings.threads,
    )
    index.add(ids, encode(encoder, [row.contents for row in documents], progress))
    index.save(folder)
    if settings.snippet_length:
        write_snippets(folder, {row.doc_id: row.contents[: settings.snippet_length] for row in documents})
    replace(wanted, outputs=_hashes(folder, folder.glob("*.*"))).write(folder)


def _hashes(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    written = [path for path in paths if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(root).as_posix(): files.hash_file(path) for path in sorted(written)}

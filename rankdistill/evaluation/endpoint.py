"""A live embedding service that speaks OpenAI's `/v1/embeddings`, as a system under evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from pydantic import Field, field_validator

from rankdistill import files, locations, manifest
from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation.indexed import IndexedRetriever, MemoryIndex
from rankdistill.notes import note, tell
from rankdistill.progress import Progress
from rankdistill.space import Space
from rankdistill.stores.answers import FOLDER, kept_vectors
from rankdistill.teachers.http.answers import count_in, unreadable
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.concurrency import run_all
from rankdistill.teachers.http.pacing import Clock
from rankdistill.teachers.http.settings import Connection
from rankdistill.teachers.http.usage import Usage

PATH = "/v1/embeddings"

PROBE = "dimension"
"""The text that a service is asked about first."""

SAME = 1e-3
"""A component may differ by as much from a service's earlier answer: other batches, other processors."""


def key(text: str) -> bytes:
    """What the answer to a text, as it is sent, is known by."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Settings(Connection):
    """Settings of an endpoint; those of the connection are those of teachers behind HTTP.

    Args:
        url: address that is posted to; `/v1/embeddings` is added to one without a path, `/embeddings` to `/v1`.
        model: the model's name as the service knows it; None sends none, for a service with one model.
        query_prefix: put before every query.
        document_prefix: put before every document.
        similarity: `cosine`: vectors are scaled to unit length here; `dot`: they are taken as they come.
        dimensions: a shorter length that is asked for; None: the model's own.
        max_characters: of a text with its prefix; the rest is cut off. None sends all, which some services refuse.
        max_batch: texts a request.
        extra: further fields of each request, such as `{truncate_prompt_tokens: 512}`.
    """

    model: str | None = None
    query_prefix: str = ""
    document_prefix: str = ""
    similarity: Literal["cosine", "dot"] = "cosine"
    dimensions: int | None = Field(default=None, ge=1)
    max_characters: int | None = Field(default=None, ge=1)
    max_batch: int = Field(default=64, ge=1)
    extra: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _with_path(cls, url: str) -> str:
        parts = urlsplit(url)
        plain = parts.path.rstrip("/")
        path = PATH if not plain else PATH if plain == "/v1" else parts.path
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    @property
    def identity(self) -> Mapping[str, Any]:
        """The service and what is asked of it; what it runs behind that name, nobody can tell."""
        decisive = self.model_dump(
            include={"model", "query_prefix", "document_prefix", "similarity", "dimensions", "max_characters", "extra"}
        )
        return {"endpoint": {"address": self.endpoint, **decisive}}

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.model} at {urlsplit(self.url).netloc}" if self.model else urlsplit(self.url).netloc


class EndpointEncoder:
    """Both sides of a service's model: the same model, with a prefix of its own for queries and for documents.

    Args:
        settings: where it is, and what is asked.
        clock: time, replaced in tests.

    Raises:
        ConfigError: the variable of the key is not set.
        TeacherError: the service does not answer, refuses, or answers with something else than vectors.
    """

    def __init__(self, settings: Settings, clock: Clock = Clock()) -> None:  # noqa: B008 - immutable
        self.settings, self._client = settings, Client(settings, clock)
        self._kept = locations.cache_folder() / FOLDER / manifest.digest(settings.identity)[:32]
        self._written: set[Path] = set()
        probe = self._vectors([PROBE], Event())[0]
        self.dimension = len(probe)
        self._forget_another(probe)

    @property
    def space(self) -> Space:
        """Its dimension and similarity; the service and the prefix of documents stand for the document tower."""
        settings = self.settings
        tower = f"{settings.endpoint} {settings.model or ''} {settings.document_prefix!r}"
        return Space(self.dimension, settings.similarity == "cosine", settings.similarity, document_tower=tower)

    @property
    def query_spaces(self) -> Sequence[Space]:
        """The documents' space."""
        return (self.space,)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """That of its settings."""
        return self.settings.identity

    def spent(self) -> str:
        """Requests, tokens and cost so far, in words."""
        return self._client.spent()

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of queries, float32 `[n, dimension]`."""
        return self._encode(texts, self.settings.query_prefix, lambda done: None)

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """Vectors of documents, as of queries; `progress` is called with the texts just done."""
        return self._encode(texts, self.settings.document_prefix, progress or (lambda done: None))

    def _forget_another(self, probe: np.ndarray) -> None:
        """Forget what is kept where the service says something else of a text by now; else keep what it says."""
        answers = kept_vectors(self._kept, "probe")
        before = answers.known().get(key(PROBE))
        if before is not None and (before.shape != probe.shape or not np.allclose(before, probe, atol=SAME)):
            tell("the service gives other vectors than before it was stopped: what it gave is not used")
            files.remove_folder(self._kept)
            before = None
        if before is None:
            answers.add([(key(PROBE), probe)])

    def forget(self) -> None:
        """Remove what was kept for the case that this run is stopped: it has ended; what living ones keep stays."""
        folders = [path for path in locations.listing(self._kept) if path.is_dir()]
        for folder in folders:
            for path in locations.listing(folder):
                if files.is_dead(path) and (folder in self._written or files.is_old(path)):
                    path.unlink(missing_ok=True)
            files.remove_if_empty(folder)
        self._written.clear()
        if not any(folder.is_dir() for folder in folders):
            files.remove_folder(self._kept)

    def _encode(self, texts: Sequence[str], prefix: str, progress: Progress) -> np.ndarray:
        """Vectors of texts, zero for those that say nothing, which services refuse.

        Each answer is kept as it comes, so that a run that is stopped asks again for those in flight alone. A single
        text's is not: a query that is timed is to be asked for.
        """
        found = np.zeros((len(texts), self.dimension), np.float32)
        said = [place for place, text in enumerate(texts) if text.strip()]
        if len(said) < len(texts):
            note(f"{len(texts) - len(said):,} texts are empty, which is not asked for: they are found last")
            progress(len(texts) - len(said))
        keys = {place: key(self._cut(prefix + texts[place])) for place in said}
        folder = self._kept / manifest.digest([one.hex() for one in keys.values()])[:32]
        answers = kept_vectors(folder, files.of_this_process("vectors"))
        self._written.add(folder)
        known = answers.known() if len(texts) > 1 else {}
        if known:
            tell(f"{len(known):,} texts were answered before the run was stopped: they are not asked for again")
            progress(sum(keys[place] in known for place in said))
        for place in said:
            found[place] = known.get(keys[place], 0)
        said = [place for place in said if keys[place] not in known]
        size = self.settings.max_batch
        batches = [said[start : start + size] for start in range(0, len(said), size)]
        asked = [[self._cut(prefix + texts[place]) for place in batch] for batch in batches]
        for number, vectors in run_all(self._vectors, asked, self.settings.concurrency):
            if vectors.shape[1] != self.dimension:
                raise DataError(
                    expected=f"vectors of {self.dimension} dimensions, as the first was",
                    got=f"{vectors.shape[1]} from {self.settings.endpoint}",
                    consequence="nothing was evaluated: the service's model was changed meanwhile",
                    remedy="run it again",
                )
            found[batches[number]] = vectors
            if len(texts) > 1:
                answers.add((keys[place], vector) for place, vector in zip(batches[number], vectors, strict=True))
            progress(len(batches[number]))
        return found

    def _cut(self, text: str) -> str:
        return text[: self.settings.max_characters]

    def _vectors(self, texts: Sequence[str], stop: Event) -> np.ndarray:
        settings = self.settings
        body = {"model": settings.model, "input": list(texts), "encoding_format": "float"}
        answer = self._client.post({**body, "dimensions": settings.dimensions, **settings.extra}, stop)
        vectors = _read(answer, len(texts))
        self._client.meter.add(Usage(tokens=count_in(answer, "usage", "total_tokens")))
        if settings.similarity == "cosine":
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(lengths > 0, lengths, 1)
        return vectors


@contextmanager
def connected(settings: Settings) -> Iterator[EndpointEncoder]:
    """The service; in the end it is told what it was asked for. Raises as `EndpointEncoder`."""
    encoder = EndpointEncoder(settings)
    try:
        yield encoder
        encoder.forget()
    finally:
        tell(encoder.spent())


def open_endpoint(
    dataset: Dataset,
    encoder: EndpointEncoder,
    *,
    factory: str = "exact",
    name: str | None = None,
    progress: Progress = lambda done: None,
) -> IndexedRetriever:
    """The service as a system: its vectors of documents in an index made here, searched with those of queries.

    Args:
        dataset: the documents.
        encoder: the service.
        factory: of the index.
        name: what tables call it.
        progress: called with the number of documents just encoded.

    Raises:
        TeacherError: see `EndpointEncoder`.
    """
    index = MemoryIndex(dataset, encoder, factory, progress)
    return IndexedRetriever(dataset, encoder, name or encoder.settings.title, index)


def _read(answer: Any, texts: int) -> np.ndarray:
    """float32 `[texts, dimension]` of an answer in any order; TeacherError where it is none."""
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or len(rows) != texts or not all(isinstance(row, dict) for row in rows):
        raise unreadable(f"`data`, a list of {texts} objects", "something else", _short(answer))
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if sorted(places, key=str) != sorted(range(texts), key=str):
        raise unreadable(f"each `index` from 0 to {texts - 1} once", f"{places[:5]}", _short(answer))
    try:
        ordered = dict(zip(places, (row["embedding"] for row in rows), strict=True))
        found = np.array([ordered[place] for place in range(texts)], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(
            "an `embedding` of numbers for each text, all of one length", str(error), _short(answer)
        ) from error
    if found.ndim != 2 or found.shape[1] == 0 or not np.isfinite(found).all():
        raise unreadable("an `embedding` of finite numbers for each text", f"shape {found.shape}", _short(answer))
    return found


def _short(answer: Any) -> Any:
    return answer if not isinstance(answer, dict) else {name: str(value)[:80] for name, value in answer.items()}

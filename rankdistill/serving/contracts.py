"""What the parts of the server agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rankdistill.inference.conversation import Conversation
from rankdistill.space import AnySpace

Side = Literal["query", "document"]
"""What a text is encoded as."""

ModelKind = Literal["dense", "sparse", "multi_vector", "pairs"]
"""What a served model gives: a vector a text; term weights; a vector a token; a score a pair."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that parts of a request took."""

    tokenisation: float = 0.0
    queue: float = 0.0
    inference: float = 0.0


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts encoded.

    Args:
        vectors: dense: float32 `[n, dimension]`; sparse: a `scipy.sparse.csr_array` `[n, terms]`; multi-vector: a list
            of float32 `[tokens, dimension]`.
        tokens: of each text, as the model read it: special tokens included, after the cut.
        truncated: places of the texts of which the model read only the beginning.
        timing: of the slowest of them.
        cached: how many were answered from the cache.
    """

    vectors: Any
    tokens: Sequence[int]
    truncated: Sequence[int] = ()
    timing: Timing = Timing()
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """Pairs scored: `scores` float32 `[n]` in the model's own unit (logits); the rest as in `Encoded`."""

    scores: Any
    tokens: Sequence[int]
    truncated: Sequence[int] = ()
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text, as TEI's `/tokenize` tells it; `start` and `stop` count characters, None for special ones."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class ServedModel(Protocol):
    """A loaded model with its queue; one a reference that is served."""

    name: str
    """What requests call it."""
    kind: ModelKind
    sides: tuple[Side, ...]
    """What it encodes: a bundle without its document model has `query` alone. Empty for pairs."""
    symmetric: bool
    """Whether a text is encoded alike on either side: one model, and no prompt that one side alone has."""
    space: AnySpace | None
    """Of the vectors; None for pairs."""
    query_spaces: Sequence[AnySpace]
    """Of the documents that its queries may search: its own documents', then those that it was aligned with."""
    dimensions: tuple[int, ...]
    """Lengths that its vectors may be cut to, longest first: the whole, and those that it was trained for."""
    backend: str
    precision: str
    weights: str
    """Hash of the weights of what encodes queries."""
    prompts: Mapping[str, str]
    conversation: Conversation | None
    """How it reads the turns of a conversation as a query; None where it reads none."""

    def max_length(self, side: Side) -> int | None:
        """Tokens of a text at most, special ones included; None where there is no maximum."""
        ...

    def tokenise(self, texts: Sequence[str], side: Side, special: bool = True) -> list[list[Token]]:
        """The tokens of each text, whole."""
        ...

    def vocabulary(self) -> Sequence[str]:
        """The term of each dimension of a sparse model; empty for others."""
        ...

    async def encode(
        self, texts: Sequence[str], side: Side, *, truncate: bool = True, prompt: str | None = None
    ) -> Encoded:
        """Encode; the prompt is the side's own unless given.

        Raises:
            TooLongError: a text is too long and `truncate` is false.
            TooLargeError: all together have more than `Limits.tokens` tokens.
            OverloadedError: the queue is full.
            UnavailableError: the model is draining or broken.
            BackendRefusal: the back end failed.
        """
        ...

    async def score(self, query: str, texts: Sequence[str], *, truncate: bool = True) -> Scored:
        """Score pairs of `query` and each text: a cross-encoder; raises as `encode` does."""
        ...

    async def probe(self) -> None:
        """One known text through the back end itself, past queue and cache; BackendRefusal where it is broken."""
        ...

    async def close(self) -> None:
        """Answer what waits, then let the back end go."""
        ...


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One entry of `/search`.

    Args:
        query: a text, or None.
        vector: a query vector instead, float32 `[dimension]`, or term -> weight.
        turns: a conversation instead, oldest first: an odd number of texts, user and assistant in turn, ending with the
            user's question.
        k: documents.
        mode: `dense`, `sparse`, `multi_vector`, `bm25`, `fused`; None: of the index, or fused where there are several.
        rerank: whether the served re-ranker orders what was found.
        space: fingerprint of the space that the client takes the index, or its vector, to be of; None: not told.
        filter: `{must, should, must_not}` as JSON, or None.
        index: name of a served index; None: the only one, or all that fuse.
        truncate: whether a query may be cut.
    """

    query: str | None = None
    vector: Any = None
    turns: Sequence[str] | None = None
    k: int = 10
    mode: str | None = None
    rerank: bool = False
    filter: Mapping[str, Any] | None = None
    index: str | None = None
    truncate: bool = True
    space: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A document found; `fields` holds its metadata, and the beginning of its text as `text` where that is kept."""

    id: str
    score: float
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found for one request; `terms` (term -> weight) of a sparse query, for those who want to see them.

    Scores are the index's, the fusion's, or where it was re-ranked the re-ranker's.
    """

    hits: Sequence[SearchHit]
    took: float
    """Seconds."""
    space: str
    """Fingerprint of the index's space."""
    mode: str
    timing: Timing = Timing()
    truncated: bool = False
    terms: Mapping[str, float] | None = None
    reranked: bool = False
    tokens: int = 0
    """Of the query, as the models read it."""


class SearchService(Protocol):
    """All served indexes of one bundle."""

    indexes: tuple[str, ...]
    modes: tuple[str, ...]
    settings: Mapping[str, Any]
    """How indexes are fused (`fusion`), and how many documents are re-ranked (`rerank_depth`), as JSON values."""

    async def search(
        self, requests: Sequence[SearchRequest], filter: Mapping[str, Any] | None = None
    ) -> list[SearchAnswer]:
        """Answer requests, those under one filter together; `filter` is and-ed to each (a key's own).

        Raises:
            Refusal: one of them cannot be answered; none is then.
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """For `/info`: each index with its documents, kind, fields, hash and space."""
        ...

    async def close(self) -> None:
        """Let the files go."""
        ...


@dataclass(frozen=True)
class Limits:
    """What a server accepts; all of it is told by `/info`.

    Args:
        body: bytes of a request.
        inputs: texts of a request to `/v1/embeddings` and `/v2/embed`.
        client_batch: texts of a request to `/embed`, `/embed_sparse` and `/rerank`.
        tokens: of all texts of a request.
        wait: seconds that a request may be estimated to wait; beyond, 429.
        batch_tokens: padded tokens of a batch; None: the back end's own.
        k: documents of a search.
        searches: entries of `/search/batch`.
        connections: open at once.
        header_seconds: for a request's head and body to arrive.
        drain: seconds that what was accepted may take after SIGTERM.
        cache: vectors kept.
    """

    body: int = 2_000_000
    inputs: int = 2048
    client_batch: int = 32
    tokens: int = 300_000
    wait: float = 2.0
    batch_tokens: int | None = None
    k: int = 1000
    searches: int = 256
    connections: int = 2048
    header_seconds: float = 20.0
    drain: float = 30.0
    cache: int = 4096


@dataclass
class State:
    """What is served at an instant; a reload makes a new one, and requests keep the one that they began with.

    Args:
        models: name -> model, the default first.
        search: over the indexes; None where there are none.
        reranker: name of the model of kind `pairs` (or `multi_vector`) that re-ranks; None where there is none.
        default_side: what a text is where a request does not say it; None: a model's only side, else it is refused.
        version: counts reloads.
        facts: what routes worked out about these models, and need not again while they are served.
    """

    models: Mapping[str, ServedModel]
    search: SearchService | None = None
    reranker: str | None = None
    default_side: Side | None = None
    version: int = 0
    using: int = 0
    facts: dict[Any, Any] = field(default_factory=dict)


class Holder(Protocol):
    """Gives the current state, and tells whether it can answer."""

    limits: Limits

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether requests are answered, and why not: `warming`, `draining`, or what is broken."""
        ...

    def acquire(self) -> State:
        """The current state, held until `release`.

        Raises:
            UnavailableError: warming, or draining.
        """
        ...

    def release(self, state: State) -> None:
        """Let it go; one that was replaced is closed with its last request."""
        ...


class Metrics(Protocol):
    """Counters and histograms that the engine feeds; see `rankdistill.serving.metrics`."""

    def queued(self, waiting: int) -> None:
        """`te_queue_size`."""
        ...

    def batch(self, size: int, tokens: int) -> None:
        """`te_batch_next_size`, `te_batch_next_tokens`."""
        ...

    def cache_hits(self, count: int) -> None:
        """`rankdistill_cache_hits_total`."""
        ...

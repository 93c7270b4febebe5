"""`seq2seq`: a sequence-to-sequence model writes queries of documents, as in doc2query (Nogueira et al. 2019)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from rankdistill.inference.seq2seq_lm import Sampling, Seq2SeqLM
from rankdistill.querying import generator
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Written
from rankdistill.records import Document

KIND = "seq2seq"


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        model: a model reference.
        prefix: stands before the document, as some models want it.
        dtype: of weights and computation.
        max_length: tokens of a document that are read.
        max_new_tokens: tokens of a query at most.
        top_k: so many of the likeliest tokens are drawn from; 1: the likeliest, which gives one query a document.
        temperature: of the draw.
        seed: of the draw.
        token_budget: padded tokens of a batch at most; None takes what suits the device.
    """

    model: str
    prefix: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_length: int = Field(default=384, ge=8)
    max_new_tokens: int = Field(default=64, ge=1)
    top_k: int = Field(default=10, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0)
    token_budget: int | None = Field(default=None, ge=1)


class Seq2Seq:
    """Draws queries; each draw has a seed of its own, made of the setting, the document and the number of the query.

    Args:
        settings: see `Settings`.

    Raises:
        ModelReferenceError: no such model.
    """

    costly, alone = True, False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lm = Seq2SeqLM(settings.model, settings.dtype)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights and settings, but for the size of batches."""
        settings = self._settings.model_dump(exclude={"model", "token_budget"})
        return {"kind": KIND, "weights": self._lm.reference.weights_hash, **settings}

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`; a query that is drawn twice of one document counts once."""
        settings = self._settings
        texts = [f"{settings.prefix}{document.contents}" for document in documents]
        draws = 1 if settings.top_k == 1 else count
        seeds = [[_seed(settings.seed, text, number) for number in range(draws)] for text in texts]
        sampling = Sampling(settings.top_k, settings.temperature, settings.max_new_tokens)
        for place, written in self._lm.draw(texts, seeds, sampling, settings.max_length, settings.token_budget):
            queries = dict.fromkeys(" ".join(text.split()) for text in written)
            yield place, [Written(KIND, text) for text in queries if text]


def _seed(seed: int, text: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{number}\0{text}".encode("utf-8", "replace")).digest()[:8], "big")


def load(settings: Settings, corpus: Corpus) -> Seq2Seq:
    """The generator; raises ModelReferenceError unless the model is of that kind."""
    return Seq2Seq(settings)

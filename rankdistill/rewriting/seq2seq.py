"""`seq2seq`: a sequence-to-sequence model that was trained to rewrite, as T5 on CANARD (Lin et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from rankdistill.inference import conversation
from rankdistill.inference.seq2seq_lm import Sampling, Seq2SeqLM
from rankdistill.querying import generator
from rankdistill.sessions.schema import Asked

KIND = "seq2seq"


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        model: a model reference.
        prefix: stands before the conversation, as some models want it.
        separator: between turns.
        format: how the conversation is one text, see `rankdistill.inference.conversation.FORMATS`; what is longer than
            the model reads loses its oldest turns, whole.
        dtype: of weights and computation.
        max_length: tokens of the conversation that are read.
        max_new_tokens: tokens of a rewrite at most.
        token_budget: padded tokens of a batch at most; None takes what suits the device.
    """

    model: str
    prefix: str = ""
    separator: str = Field(default=" ||| ", min_length=1)
    format: str = "oldest_first"
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_length: int = Field(default=512, ge=8)
    max_new_tokens: int = Field(default=64, ge=1)
    token_budget: int | None = Field(default=None, ge=1)


class Seq2Seq:
    """Decodes the likeliest token at every step.

    Args:
        settings: see `Settings`.

    Raises:
        ModelReferenceError: no such model.
        ConfigError: no such format.
    """

    costly, alone = True, False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._format = conversation.named(settings.format, separator=settings.separator)
        self._lm = Seq2SeqLM(settings.model, settings.dtype)
        self.shortened = 0

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights and settings, but for the size of batches."""
        settings = self._settings.model_dump(exclude={"model", "token_budget"})
        return {"kind": KIND, "weights": self._lm.reference.weights_hash, **settings}

    def rewrite(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """See `Rewriter.rewrite`."""
        settings = self._settings
        most = min(settings.max_length, self._lm.tokenizer.model_max_length)
        joined = [self._format.join(one.said, self._length, most) for one in asked]
        texts = [f"{settings.prefix}{text}" for text in joined]
        whole = [f"{settings.prefix}{self._format.join(one.said)}" for one in asked]
        self.shortened += sum(
            one != other or self._length(text) > most for one, other, text in zip(texts, whole, joined, strict=True)
        )
        sampling = Sampling(1, 1.0, settings.max_new_tokens)  # the likeliest token: nothing is drawn
        seeds = [[0]] * len(texts)
        for place, (written,) in self._lm.draw(texts, seeds, sampling, settings.max_length, settings.token_budget):
            yield place, " ".join(written.split())

    def _length(self, text: str) -> int:
        return len(self._lm.tokenizer(f"{self._settings.prefix}{text}", verbose=False)["input_ids"])


def load(settings: Settings) -> Seq2Seq:
    """The rewriter; raises ModelReferenceError unless the model is of that kind."""
    return Seq2Seq(settings)

"""`causal`: a causal language model on this machine, asked for rewrites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from rankdistill.querying import generator
from rankdistill.rewriting.prompt import Prompt, messages, read_rewrite
from rankdistill.sessions.schema import Asked
from rankdistill.teachers.local_chat import LocalChat, Messages

KIND = "causal"


class Settings(Prompt, generator.Settings):
    """Settings of the kind, besides those of `Prompt`.

    Args:
        model: a model reference.
        dtype: of weights and computation.
        max_length: tokens of the messages at most; None takes what the model's context leaves.
        max_new_tokens: tokens of a reply at most.
        chat_template: given to the model's chat template; the default keeps Qwen3-like models from thinking aloud.
        batch_size: questions at once.
    """

    model: str
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_length: int | None = Field(default=None, ge=8)
    max_new_tokens: int = Field(default=96, ge=1)
    chat_template: Mapping[str, Any] = Field(default_factory=lambda: {"enable_thinking": False})
    batch_size: int = Field(default=8, ge=1)


class Causal:
    """Decodes greedily; conversations of similar length are asked about together.

    Args:
        settings: see `Settings`.

    Raises:
        ModelReferenceError: no causal language model.
    """

    costly, alone = True, False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.shortened = 0
        self._chat = LocalChat(
            settings.model,
            settings.dtype,
            settings.max_length,
            settings.max_new_tokens,
            settings.chat_template,
            settings.batch_size,
            "lower the setting `conversation_words`, or raise `max_length`",
        )

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompt, lengths."""
        return {"kind": KIND, **self._chat.fingerprint, **self._settings.model_dump(include={*Prompt.model_fields})}

    def rewrite(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """See `Rewriter.rewrite`."""
        fitting = [self._fitting(one.said) for one in asked]
        self.shortened += sum(short for _, short in fitting)
        told = {place: message for place, (message, _) in enumerate(fitting) if message is not None}
        yield from ((place, "") for place in range(len(asked)) if place not in told)
        order = sorted(told, key=lambda place: -len(told[place][-1]["content"]))
        for number, reply in self._chat.complete_all([told[place] for place in order]):
            yield order[number], read_rewrite(reply)

    def _fitting(self, said: Sequence[str]) -> tuple[Messages | None, bool]:
        """The messages with as many of the last turns as the model reads, and whether older ones were left out.

        None where the question alone is too long for it, which has no rewrite then. A prompt that leaves no room for
        any question is given as it is: asking with it is an error.
        """
        whole, short = messages(self._settings, said)
        if self._chat.fits(whole):
            return whole, short
        if not self._chat.fits(messages(self._settings, ["?"])[0]):
            return whole, short
        fits, too_many = -1, len(said) - 1
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self._chat.fits(messages(self._settings, said, middle)[0]):
                fits = middle
            else:
                too_many = middle
        return (messages(self._settings, said, fits)[0] if fits >= 0 else None), True


def load(settings: Settings) -> Causal:
    """The rewriter; raises ModelReferenceError unless the model is a causal language model."""
    return Causal(settings)

"""How much of a conversation a model reads: its tokens are counted as the model counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rankdistill.inference import conversation
from rankdistill.inference.conversation import Conversation
from rankdistill.inference.loading import kind_of, load_encoder, load_sparse_encoder, max_length_of
from rankdistill.inference.prompts import prompt_of
from rankdistill.models import resolve


@dataclass(frozen=True)
class TurnReader:
    """A format of conversations, and the tokeniser and the limit of the model that reads them.

    Args:
        conversation: the format.
        tokenizer: of the model; None: nothing counts tokens, and nothing is cut.
        prompt: what the model has before each query.
        most: tokens of a query that it reads, special ones and the prompt included; None: no limit.
    """

    conversation: Conversation
    tokenizer: Any = None
    prompt: str = ""
    most: int | None = None

    def length(self, text: str) -> int:
        """Tokens of a query, with prompt and special ones."""
        if self.tokenizer is None:
            return 0
        return len(self.tokenizer(self.prompt + text, truncation=False, verbose=False)["input_ids"])

    def join(self, turns: Sequence[str]) -> str:
        """The text of a conversation; see `Conversation.join`."""
        return self.conversation.join(turns, self.length, self.most)

    def is_cut(self, turns: Sequence[str], joined: str | None = None) -> bool:
        """Whether a conversation is too long for the model, so that its oldest turns, or its end, are not read.

        Args:
            turns: see `join`.
            joined: what `join` gave for them; None: it is asked.
        """
        if self.most is None:
            return False
        text = self.join(turns) if joined is None else joined
        if self.conversation.cut == "turns":  # which leaves too much where the question alone is read
            if text != self.conversation.whole(turns):
                return True
            if text != turns[-1]:
                return False
        return self.length(text) > self.most


def open_reader(model: str, given: Conversation | str | None = None, limit: int | None = None) -> TurnReader:
    """The reader of a model.

    Args:
        model: a model reference.
        given: a format, or its name; its separator becomes the one that the tokeniser knows. None: what lies beside the
            model (`conversation.json`), or else the last turn alone.
        limit: tokens of a query at most; None: the model's own.

    Raises:
        ConfigError: no such format.
        ModelReferenceError: no such model.
    """
    reference = resolve(model)
    load = load_sparse_encoder if kind_of(reference.path) == "sparse" else load_encoder
    found = load(reference, "cpu", limit)
    tokenizer, prompt, most = found.tokenizer, prompt_of(found, "query"), max_length_of(found)
    chosen = conversation.read(reference.path) if given is None else given
    if chosen is None:
        chosen = "last_turn"
    if isinstance(chosen, str):
        chosen = conversation.named(chosen)
        if callable(tokenizer):
            chosen = replace(chosen, separator=conversation.separator_of(tokenizer))
    return TurnReader(chosen, tokenizer if callable(tokenizer) else None, prompt, most)

"""A language model on this machine, asked for text: messages in, the reply out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rankdistill.errors import TeacherError
from rankdistill.inference.causal_lm import CausalLM
from rankdistill.manifest import digest

Messages = Sequence[Mapping[str, str]]
"""Messages with `role` and `content`, the oldest first."""


class LocalChat:
    """Asks a causal language model without sampling, through the chat template of its tokeniser.

    A tokeniser without one gets the messages' contents with an empty line after each.

    Args:
        model: a model reference.
        dtype: of weights and computation.
        max_length: tokens of the messages at most; None takes what the model's context leaves beside the reply.
        max_new_tokens: tokens of a reply at most.
        template_settings: given to the chat template.
        batch_size: conversations that go on at once; changes the speed only.
        if_too_long: what to do about messages that the model cannot read as a whole.

    Raises:
        ModelReferenceError: no causal language model.
        ConfigError: `max_length` is beyond the model's positions.
    """

    def __init__(
        self,
        model: str,
        dtype: str,
        max_length: int | None,
        max_new_tokens: int,
        template_settings: Mapping[str, Any],
        batch_size: int,
        if_too_long: str = "lower the settings `window` and `passage_words`, or raise `max_length`",
    ) -> None:
        self._lm = CausalLM(model, dtype, max_length=max_length)
        room = max(1, self._lm.context - max_new_tokens)
        self._max_length, self._max_new_tokens = min(max_length or room, room), max_new_tokens
        self._template_settings, self._batch_size = dict(template_settings), batch_size
        self._if_too_long = if_too_long

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, chat template, lengths, dtype, back end."""
        return {
            "weights": self._lm.reference.weights_hash,
            "chat_template": digest({"template": self._lm.tokenizer.chat_template, **self._template_settings}),
            "max_length": self._max_length,
            "max_new_tokens": self._max_new_tokens,
            "decoding": "greedy",
            "dtype": self._lm.dtype,
            "backend": "torch",
        }

    def complete_all(self, conversations: Sequence[Messages]) -> Iterator[tuple[int, str]]:
        """(number of the conversation, reply), in order.

        Raises:
            TeacherError: messages that are longer than the model can read.
        """
        for start in range(0, len(conversations), self._batch_size):
            rows = [self._tokens(messages) for messages in conversations[start : start + self._batch_size]]
            yield from enumerate(self._lm.generate(rows, self._max_new_tokens), start)

    def fits(self, messages: Messages) -> bool:
        """Whether the model can read the messages as a whole."""
        return len(self._ids(messages)) <= self._max_length

    def _ids(self, messages: Messages) -> list[int]:
        ids = self._lm.tokenise([self._text(messages)])[0]
        return ids if self._lm.tokenizer.chat_template else [*self._lm.start, *ids]

    def _tokens(self, messages: Messages) -> list[int]:
        ids = self._ids(messages)
        if len(ids) > self._max_length:
            raise TeacherError(
                expected=f"a prompt of at most {self._max_length} tokens",
                got=f"one of {len(ids)}: {messages[-1]['content'][:60]!r}...",
                consequence="the run stopped: a cut prompt would lose what it is about; what was finished is kept",
                remedy=self._if_too_long,
            )
        return ids

    def _text(self, messages: Messages) -> str:
        if not self._lm.tokenizer.chat_template:
            return "".join(f"{message['content']}\n\n" for message in messages)
        return self._lm.tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=True,
            **self._template_settings,
        )

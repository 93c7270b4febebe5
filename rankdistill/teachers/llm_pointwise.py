"""The pointwise language-model teacher: how much likelier "yes" is than "no" after a prompt about one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from rankdistill.errors import ConfigError, TeacherError
from rankdistill.inference.causal_lm import CausalLM
from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind, check_scores, teacher_id
from rankdistill.teachers.pointwise_prompt import TEMPLATES, WEB_SEARCH, PointwisePrompt
from rankdistill.teachers.settings import TorchModelSettings

SLAB = 2048
"""Pairs tokenised at a time."""


class Settings(TorchModelSettings):
    """Settings of an `llm_pointwise` teacher.

    Args:
        template: `qwen3-reranker`, `plain`, or a text with {instruction}, {query} and {document}.
        instruction: what stands for {instruction}.
        yes: the answer that means relevant; one token.
        no: the answer that means not relevant; one token.
        score_kind: `logit`, the logit of yes minus that of no; or `probability`, its sigmoid: the softmax over the two.
        token_budget: padded tokens of a batch at most; changes the speed only.
    """

    template: str = "qwen3-reranker"
    instruction: str = WEB_SEARCH
    yes: str = "yes"
    no: str = "no"
    score_kind: Literal["logit", "probability"] = "logit"
    token_budget: int | None = Field(default=None, ge=1)


class PointwiseLlmTeacher:
    """Reads the logits of two answers after each pair's prompt.

    A prompt that is too long loses the end of its document, and nothing else. It is tokenised in two parts, up to the
    end of the document and from there on.

    Args:
        settings: model and prompt.

    Raises:
        ModelReferenceError: no causal language model.
        ConfigError: an answer is not one token, the template lacks a place, the tokeniser does not know its tokens, or
            `max_length` is beyond the model's positions.
    """

    def __init__(self, settings: Settings) -> None:
        builtin = TEMPLATES.get(settings.template)
        self._prompt = PointwisePrompt(builtin.text if builtin else settings.template, settings.instruction)
        self._settings = settings
        self._lm = CausalLM(settings.model, settings.dtype, max_length=settings.max_length)
        for special in builtin.specials if builtin else ():
            self._token(special, "template")
        self._answers = [self._token(settings.yes, "yes"), self._token(settings.no, "no")]
        if self._answers[0] == self._answers[1]:
            raise self._bad_setting("two different answers", f"`yes` and `no` are both {settings.yes!r}", "yes")
        self._start = self._lm.start

    @property
    def score_kind(self) -> ScoreKind:
        """`logit` or `probability`, as the settings say."""
        return self._settings.score_kind

    @property
    def max_length(self) -> int:
        """Tokens of a prompt at most."""
        return min(self._settings.max_length or self._lm.context, self._lm.context)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompt, answers, maximum length, truncation, activation, dtype, back end."""
        return {
            "kind": "llm_pointwise",
            "weights": self._lm.reference.weights_hash,
            "template": self._prompt.template,
            "instruction": self._prompt.instruction,
            "answers": [self._settings.yes, self._settings.no],
            "max_length": self.max_length,
            "truncation": "document",
            "activation": "identity" if self.score_kind == "logit" else "softmax over the answers",
            "dtype": self._lm.dtype,
            "backend": "torch",
        }

    @cached_property
    def teacher_id(self) -> str:
        """`llm-pointwise-<12 hex digits>`."""
        return teacher_id("llm_pointwise", self.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Scores, float32[n], in the unit `score_kind`.

        Raises:
            TeacherError: NaN or infinite scores, or a query so long that no document fits beside it.
        """
        scores = np.empty(len(pairs), dtype=np.float32)
        for start in range(0, len(pairs), SLAB):
            rows = self._rows(pairs[start : start + SLAB])
            logits = self._lm.next_token_logits(rows, self._answers, self._settings.token_budget, progress)
            scores[start : start + SLAB] = logits[:, 0] - logits[:, 1]
        check_scores(self.teacher_id, pairs, scores)
        return scores if self.score_kind == "logit" else _sigmoid(scores)

    def _rows(self, pairs: Sequence[tuple[str, str]]) -> list[list[int]]:
        """The token ids of each pair's prompt, at most `max_length`."""
        queries = list(dict.fromkeys(query for query, _ in pairs))
        tails = dict(zip(queries, self._lm.tokenise([self._prompt.after(query) for query in queries]), strict=True))
        heads = dict(zip(queries, self._lm.tokenise([self._prompt.before(query) for query in queries]), strict=True))
        room = {query: self.max_length - len(self._start) - len(tails[query]) for query in queries}
        for query in queries:
            if len(heads[query]) >= room[query]:
                raise self._no_room(query, len(heads[query]) + len(tails[query]))
        joined = self._lm.tokenise([self._prompt.before(query) + document for query, document in pairs])
        return [
            [*self._start, *ids[: room[query]], *tails[query]] for (query, _), ids in zip(pairs, joined, strict=True)
        ]

    def _token(self, text: str, setting: str) -> int:
        """The one token that `text` is."""
        ids = self._lm.tokenise([text])[0]
        if len(ids) != 1 or ids[0] == self._lm.tokenizer.unk_token_id:
            shown = self._lm.tokenizer.convert_ids_to_tokens(ids)
            raise self._bad_setting(f"{text!r} to be one token of {self._settings.model}", f"{shown}", setting)
        return ids[0]

    @staticmethod
    def _bad_setting(expected: str, got: str, setting: str) -> ConfigError:
        others = ": `plain`, or your own text" if setting == "template" else " to a word that is one token"
        return ConfigError(
            expected=expected,
            got=got,
            consequence="nothing was scored",
            remedy=f"change the setting `{setting}`{others}",
        )

    def _no_room(self, query: str, tokens: int) -> TeacherError:
        return TeacherError(
            expected=f"a prompt of at most {self.max_length} tokens with room for a document",
            got=f"query {query[:60]!r} takes {tokens} tokens with the template",
            consequence="scoring stopped: only documents are ever cut; finished shards are kept",
            remedy="raise the setting `max_length`, or shorten the query",
        )


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """float32; computed in float64, where nothing that a logit can be overflows to NaN."""
    return (0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))).astype(np.float32)


def load(settings: Settings) -> PointwiseLlmTeacher:
    """The teacher; raises ModelReferenceError unless the model is a causal language model."""
    return PointwiseLlmTeacher(settings)

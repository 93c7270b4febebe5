"""The listwise language-model teacher: a model writes down rankings of windows of passages (Sun et al. 2023)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from pydantic import Field, field_validator, model_validator

from rankdistill.manifest import digest
from rankdistill.progress import Progress
from rankdistill.teachers.base import PairTeacher, teacher_id
from rankdistill.teachers.first_stage import bm25_order, teacher_order
from rankdistill.teachers.http.chat import Chat, ChatSettings
from rankdistill.teachers.listwise import QueryList, RankedPairs
from rankdistill.teachers.local_chat import LocalChat, Messages
from rankdistill.teachers.permutations import Answer, read_answer, usable, windows
from rankdistill.teachers.registry import TeacherSpec
from rankdistill.teachers.settings import TorchModelSettings

SYSTEM = "You rank passages by how relevant they are to a search query."

TEMPLATE = (
    "Below are {count} passages, each after its number in square brackets. They are to be ranked by how relevant they "
    "are to this query: {query}\n\n{passages}\n\nQuery: {query}\n\nRank the {count} passages, the most relevant first. "
    "Give every number once, in the form [2] > [1] > [3]. Write the ranking alone, without a word of explanation."
)

_PLACE = re.compile(r"\{(count|query|passages)\}")
_LABEL = re.compile(r"\[(\s*\d+\s*)\]")


class Settings(TorchModelSettings):
    """Settings of an `llm_listwise` teacher: either `model`, run here, or `chat`, a server.

    Args:
        model: a model reference.
        chat: an OpenAI-compatible chat endpoint.
        system: the system message; empty for none.
        template: the user's message, with {query}, {passages} and, at will, {count}.
        window: passages ranked at once.
        step: how far the next window is ahead of the last one, from the back of the list to its front.
        passes: how many times the windows go over the list.
        passage_words: words of a passage at most.
        first_stage: kind and settings of the teacher by whose scores the list is ordered first; None takes BM25.
        max_new_tokens: tokens of a reply of `model` at most.
        chat_template: settings given to the model's chat template; the default keeps Qwen3-like models from thinking.
        batch_size: conversations with `model` that go on at once; changes the speed only.
    """

    model: str = ""
    chat: ChatSettings | None = None
    system: str = SYSTEM
    template: str = TEMPLATE
    window: int = Field(default=20, ge=2)
    step: int = Field(default=10, ge=1)
    passes: int = Field(default=1, ge=1)
    passage_words: int = Field(default=300, ge=1)
    first_stage: Mapping[str, Any] | None = None
    max_new_tokens: int = Field(default=256, ge=1)
    chat_template: Mapping[str, Any] = Field(default_factory=lambda: {"enable_thinking": False})
    batch_size: int = Field(default=1, ge=1)

    @field_validator("template")
    @classmethod
    def _has_places(cls, template: str) -> str:
        missing = [place for place in ("{query}", "{passages}") if place not in template]
        if missing:
            raise ValueError(f"the template lacks {' and '.join(missing)}")
        return template

    @field_validator("first_stage")
    @classmethod
    def _names_a_kind(cls, first_stage: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if first_stage is not None and not isinstance(first_stage.get("kind"), str):
            raise ValueError("first_stage needs `kind`")
        return first_stage

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if bool(self.model) == (self.chat is not None):
            raise ValueError("give one of `model` and `chat`")
        if self.step >= self.window:
            raise ValueError("`step` must be less than `window`: the best of a window would not get into the next")
        return self


class ChatModel(Protocol):
    """Replies to conversations."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What a reply depends on besides the messages; JSON values."""
        ...

    def complete_all(self, conversations: Sequence[Messages]) -> Iterator[tuple[int, str]]:
        """(number of the conversation, reply), in any order."""
        ...


@dataclass(frozen=True)
class AnswerCounts:
    """How the model answered so far; see `permutations.Answer`.

    Args:
        answers: all of them.
        malformed: those that were repaired.
        missing: identifiers left out.
        repeated: identifiers given again.
        foreign: identifiers of no passage.
    """

    answers: int = 0
    malformed: int = 0
    missing: int = 0
    repeated: int = 0
    foreign: int = 0

    def __add__(self, answer: Answer) -> AnswerCounts:
        return replace(
            self,
            answers=self.answers + 1,
            malformed=self.malformed + answer.is_malformed,
            missing=self.missing + answer.missing,
            repeated=self.repeated + answer.repeated,
            foreign=self.foreign + answer.foreign,
        )

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in asdict(self).items())


class ListwiseLlm:
    """Ranks by windows that slide from the back of the list to its front, so that the best passages move along.

    The windows of all lists of a call are asked for side by side, so that a server is kept busy.

    Args:
        chat: replies.
        settings: prompt and windows.
        first_stage: orders each list first; None takes BM25 among its documents.
        usage: what the chat was asked for so far, in words.
    """

    def __init__(
        self,
        chat: ChatModel,
        settings: Settings,
        first_stage: PairTeacher | None = None,
        usage: Callable[[], str] | None = None,
    ) -> None:
        self._chat, self._settings, self._first_stage, self._usage = chat, settings, first_stage, usage
        self.counts = AnswerCounts()

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """The model, the prompt, the windows, and what ordered the lists first."""
        settings = self._settings
        return {
            "kind": "llm_listwise",
            "model": dict(self._chat.fingerprint),
            "system": settings.system,
            "template": settings.template,
            "window": settings.window,
            "step": settings.step,
            "passes": settings.passes,
            "passage_words": settings.passage_words,
            "first_stage": dict(self._first_stage.fingerprint) if self._first_stage else "bm25",
        }

    @cached_property
    def teacher_id(self) -> str:
        """`llm-listwise-<12 hex digits>`."""
        return teacher_id("llm_listwise", self.fingerprint)

    def rank(
        self,
        lists: Sequence[QueryList],
        progress: Progress | None = None,
        replies: MutableMapping[bytes, str] | None = None,
    ) -> list[list[int]]:
        """A permutation for each list, the best first; malformed answers are repaired and counted in `counts`.

        Args:
            lists: any number of queries, each with its documents.
            progress: called with the number of documents done since the last call.
            replies: those that were kept, which are not asked for again; each that comes is put there.

        Raises:
            TeacherError: the model cannot be asked.
        """
        orders = [self._first_order(one) for one in lists]
        turns = [self._windows(len(one.documents)) for one in lists]
        if progress is not None:
            progress(sum(len(order) for order, own in zip(orders, turns, strict=True) if not own))
        for turn in range(max(map(len, turns), default=0)):
            asked = [number for number in range(len(lists)) if turn < len(turns[number])]
            prompts = [self._prompt(lists[number], orders[number], *turns[number][turn]) for number in asked]
            for place, reply in self._replies(prompts, {} if replies is None else replies):
                number = asked[place]
                start, end = turns[number][turn]
                answer = read_answer(reply, end - start)
                self.counts += answer
                orders[number][start:end] = [orders[number][start + found] for found in answer.order]
                if progress is not None:
                    progress(_share(len(orders[number]), turn, len(turns[number])))
        return orders

    def _replies(self, prompts: Sequence[Messages], replies: MutableMapping[bytes, str]) -> Iterator[tuple[int, str]]:
        """(number of the prompt, reply): those that are known, then the others as they come."""
        keys = [bytes.fromhex(digest([dict(message) for message in prompt])) for prompt in prompts]
        known = [replies.get(key) for key in keys]
        yield from ((place, reply) for place, reply in enumerate(known) if reply is not None)
        asked = [place for place, reply in enumerate(known) if reply is None]
        for number, reply in self._chat.complete_all([prompts[place] for place in asked]):
            replies[keys[asked[number]]] = kept = usable(reply)
            yield asked[number], kept

    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """How many prompts such pairs take, and how much text they hold; nothing is asked."""
        length = -(-pairs // max(1, queries))
        turns = self._windows(length)
        passages = queries * sum(end - start for start, end in turns)
        words = [len(self._passage(document).split()) for _, document in sample]
        mean = sum(words) / max(1, len(words))
        each = f"{len(turns):,} for each of {queries:,} queries of {length:,} documents"
        return {
            "prompts": f"{queries * len(turns):,}: {each}",
            "text": f"about {passages * mean:,.0f} words to read (the time was not measured)",
        }

    def spent(self) -> str:
        """How the model answered so far, and what that took."""
        return f"rankings: {self.counts}" + (f"; {self._usage()}" if self._usage else "")

    def _first_order(self, one: QueryList) -> list[int]:
        if self._first_stage is None:
            return bm25_order(one.query, one.documents)
        return teacher_order(self._first_stage, one.query, one.documents)

    def _windows(self, count: int) -> list[tuple[int, int]]:
        settings = self._settings
        return list(windows(count, settings.window, settings.step)) * settings.passes if count > 1 else []

    def _prompt(self, one: QueryList, order: Sequence[int], start: int, end: int) -> Messages:
        passages = [f"[{number}] {self._passage(one.documents[row])}" for number, row in enumerate(order[start:end], 1)]
        values = {"query": one.query, "count": str(end - start), "passages": "\n".join(passages)}
        asked = {"role": "user", "content": _PLACE.sub(lambda place: values[place[1]], self._settings.template)}
        return [{"role": "system", "content": self._settings.system}, asked] if self._settings.system else [asked]

    def _passage(self, document: str) -> str:
        """One line of at most `passage_words` words, in which nothing looks like an identifier."""
        return _LABEL.sub(r"(\1)", " ".join(document.split()[: self._settings.passage_words]))


def _share(documents: int, turn: int, turns: int) -> int:
    """Of the documents of a list, how many `turn` counts for; all turns together count for all."""
    return documents * (turn + 1) // turns - documents * turn // turns


def load(settings: Settings) -> RankedPairs:
    """The teacher, as a teacher of pairs with score kind `rank`.

    Raises:
        ModelReferenceError: `model` is no causal language model.
        ConfigError: the first stage's settings are wrong, or a key for `chat` is not set.
    """
    first = dict(settings.first_stage) if settings.first_stage else None
    first_stage = TeacherSpec(first.pop("kind"), first).load() if first is not None else None
    if settings.chat is not None:
        chat = Chat(settings.chat)
        return RankedPairs(ListwiseLlm(chat, settings, first_stage, chat.spent))
    local = LocalChat(
        settings.model,
        settings.dtype,
        settings.max_length,
        settings.max_new_tokens,
        settings.chat_template,
        settings.batch_size,
    )
    return RankedPairs(ListwiseLlm(local, settings, first_stage))

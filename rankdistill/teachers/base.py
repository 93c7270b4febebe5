"""What a teacher is: something with a fingerprint that scores pairs, or embeds texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from rankdistill.errors import TeacherError
from rankdistill.inference.prompts import Role
from rankdistill.manifest import digest
from rankdistill.progress import Progress
from rankdistill.space import Space

ScoreKind = Literal["logit", "probability", "cosine", "dot", "rank"]
"""The unit of a teacher's raw scores."""

Unit = ScoreKind | Literal["calibrated"]
"""That of a teacher's scores, or none: those of several teachers on one scale."""


_SHOWN = 3


@runtime_checkable
class PairTeacher(Protocol):
    """Scores (query text, document contents) pairs with raw scores in the unit `score_kind`."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that a score depends on besides the pair; JSON values."""
        ...

    @property
    def teacher_id(self) -> str:
        """Short name derived from the fingerprint: equal ids mean equal scores."""
        ...

    @property
    def score_kind(self) -> Unit:
        """The unit of the scores."""
        ...

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """float32[n], in the order of `pairs`; finite, or TeacherError."""
        ...


@runtime_checkable
class MeteredTeacher(Protocol):
    """A pair teacher whose scores may cost money: nothing is scored only to measure, and what was used is told."""

    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """What scoring would take (requests, time, cost), each in words, without scoring anything.

        Args:
            pairs: how many.
            queries: distinct queries among them.
            sample: some of the pairs.
        """
        ...

    def spent(self) -> str:
        """What this object was asked for so far and what that costs, in words."""
        ...


@runtime_checkable
class AnsweringTeacher(Protocol):
    """A pair teacher that gets its scores in answers, each of which may have cost money: a store keeps each at once."""

    def answers(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        """(places in `pairs`, their scores, float32) of each answer, in the order in which they come."""
        ...


@runtime_checkable
class ReplyingTeacher(Protocol):
    """A pair teacher that makes its scores of a model's replies, each of which costs: a store keeps each at once."""

    def score_replied(
        self, pairs: Sequence[tuple[str, str]], replies: MutableMapping[bytes, str], progress: Progress | None = None
    ) -> np.ndarray:
        """As `score`, without asking for what is in `replies` already; each other reply is put there as it comes.

        Args:
            pairs: (query, document).
            replies: key of a prompt -> what the model replied to it.
            progress: called with the number of pairs just done.
        """
        ...


@runtime_checkable
class ApproximateTeacher(Protocol):
    """A pair teacher that may compute in less than float32, and can be compared with itself in float32."""

    def exact(self) -> Callable[[], PairTeacher] | None:
        """Loads this teacher in float32 by torch; None where this one computes in float32 itself."""
        ...


@runtime_checkable
class EmbeddingTeacher(Protocol):
    """Embeds texts, each with the prompt of its role."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that an embedding depends on besides the text; JSON values."""
        ...

    @property
    def teacher_id(self) -> str:
        """Short name derived from the fingerprint."""
        ...

    @property
    def reference(self) -> str:
        """The model reference that it was loaded from."""
        ...

    @property
    def space(self) -> Space:
        """The space of its document vectors."""
        ...

    @property
    def prompts(self) -> Mapping[Role, str]:
        """What is put before each text of a role; raises ConfigError where that is not clear."""
        ...

    def is_cut(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """bool[n]: whether the model reads only the beginning of a text."""
        ...

    def embed(self, texts: Sequence[str], role: Role, progress: Progress | None = None) -> np.ndarray:
        """float32[n, dim], in the order of `texts`; finite, or TeacherError."""
        ...

    def exact(self) -> Callable[[], EmbeddingTeacher] | None:
        """Loads this teacher in float32 by torch; None where this one computes in float32 itself."""
        ...


@runtime_checkable
class WholeQueryTeacher(Protocol):
    """A pair teacher whose scores may depend on which other pairs of the same query are given with a pair."""

    @property
    def whole_queries(self) -> bool:
        """Whether they do: then all pairs of a query must be scored in one call."""
        ...


@runtime_checkable
class TextTeacher(Protocol):
    """A pair teacher that may encode texts by themselves, each once a call, however many pairs it is in."""

    @property
    def encodes_texts(self) -> bool:
        """Whether it does: then few large calls take less than many small ones."""
        ...


def encodes_texts(teacher: PairTeacher) -> bool:
    """Whether each text of a call is encoded once."""
    return isinstance(teacher, TextTeacher) and teacher.encodes_texts


def needs_whole_queries(teacher: PairTeacher) -> bool:
    """Whether all pairs of a query must be given to `teacher` in one call."""
    return isinstance(teacher, WholeQueryTeacher) and teacher.whole_queries


def teacher_id(kind: str, fingerprint: Mapping[str, Any]) -> str:
    """`<kind>-<12 hex digits>` with the hash of the fingerprint, safe as a folder name."""
    return f"{kind.replace('_', '-')}-{digest(fingerprint)[:12]}"


def check_scores(teacher: str, pairs: Sequence[tuple[str, str]], scores: np.ndarray) -> np.ndarray:
    """`scores` unchanged if there is one finite number a pair.

    Raises:
        TeacherError: another count, or NaN or infinite scores; the message shows the first such pairs.
    """
    if scores.shape != (len(pairs),):
        raise TeacherError(
            expected=f"one score for each of {len(pairs)} pairs",
            got=f"teacher {teacher} gave an array of shape {scores.shape}",
            consequence="none of the scores was kept",
            remedy="use a teacher that gives one number a pair",
        )
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        shown = "; ".join(f"{_name(scores[row])} for {_excerpt(*pairs[row])}" for row in bad[:_SHOWN])
        raise TeacherError(
            expected="finite scores",
            got=f"teacher {teacher}: {len(bad)} of {len(scores)} are NaN or infinite: {shown}",
            consequence="none of these scores was kept: training on them would fail silently",
            remedy="look at these texts and at the teacher's weights; score in float32",
        )
    return scores


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value}"


def _excerpt(query: str, document: str) -> str:
    return f"query {query[:60]!r} with document {document[:60]!r}"

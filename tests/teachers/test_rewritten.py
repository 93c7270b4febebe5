"""A teacher of rewrites is all that the teacher behind it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import pytest

from rankdistill.teachers.base import (
    AnsweringTeacher,
    ApproximateTeacher,
    MeteredTeacher,
    PairTeacher,
    ReplyingTeacher,
    needs_whole_queries,
)
from rankdistill.teachers.rewritten import rewritten

REWRITES = {"and its height": "how high is the tower", "why": "why is the sky blue"}
PAIRS = [("and its height", "a tower"), ("why", "the sky")]


class Lengths:
    """Scores a pair by the length of its query."""

    score_kind = "logit"
    teacher_id = "lengths-1"
    fingerprint: Mapping[str, Any] = {"kind": "lengths"}

    def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> np.ndarray:
        return np.array([len(query) for query, _ in pairs], np.float32)


class Metered(Lengths):
    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        return {"characters": str(sum(len(query) for query, _ in sample))}

    def spent(self) -> str:
        return "much"


class Service(Metered):
    def answers(
        self, pairs: Sequence[tuple[str, str]], progress: Any = None
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        for place, pair in enumerate(pairs):
            yield [place], self.score([pair])


class Listwise(Metered):
    whole_queries = True

    def score_replied(
        self, pairs: Sequence[tuple[str, str]], replies: MutableMapping[bytes, str], progress: Any = None
    ) -> np.ndarray:
        replies[b"key"] = "a reply"
        return self.score(pairs)


class Rounded(Lengths):
    def exact(self) -> Any:
        return Lengths


@pytest.mark.parametrize("kind", [Lengths, Metered, Service, Listwise, Rounded])
def test_it_is_of_the_kinds_of_the_teacher_behind_it(kind: type[Lengths]) -> None:
    behind: Any = kind()
    teacher = rewritten(behind, "human", REWRITES)
    assert isinstance(teacher, PairTeacher)
    for protocol in (MeteredTeacher, AnsweringTeacher, ReplyingTeacher):
        assert isinstance(teacher, protocol) == isinstance(behind, protocol), protocol
    assert needs_whole_queries(teacher) == needs_whole_queries(behind)
    assert teacher.score(PAIRS).tolist() == [21, 19]
    assert teacher.teacher_id == rewritten(Lengths(), "human", REWRITES).teacher_id  # type: ignore[arg-type]


def test_what_it_passes_on_reads_the_rewrites() -> None:
    service: Any = rewritten(Service(), "human", REWRITES)  # type: ignore[arg-type]
    assert service.estimate(2, 2, PAIRS) == {"characters": "40"}
    assert service.spent() == "much"
    assert [(list(places), scores.tolist()) for places, scores in service.answers(PAIRS)] == [([0], [21]), ([1], [19])]
    replies: dict[bytes, str] = {}
    listwise: Any = rewritten(Listwise(), "human", REWRITES)  # type: ignore[arg-type]
    assert listwise.score_replied(PAIRS, replies).tolist() == [21, 19]
    assert replies == {b"key": "a reply"}
    rounded = rewritten(Rounded(), "human", REWRITES)  # type: ignore[arg-type]
    assert isinstance(rounded, ApproximateTeacher)
    load = rounded.exact()
    assert load is not None
    assert load().score(PAIRS).tolist() == [21, 19]
    assert rewritten(Lengths(), "human", REWRITES).exact() is None  # type: ignore[arg-type]

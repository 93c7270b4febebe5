"""Batches of one topic: every row once a pass, batches of one cluster, the same after an interruption."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.training.in_batch import topics
from rankdistill.training.in_batch.topics import TopicOrder, topics_of
from tests.training.conftest import MemoryStore
from tests.training.in_batch.test_run import log, run, stop_at, weights  # noqa: F401


class Points:
    """A teacher whose query vectors are points on a circle, by the number in the query."""

    teacher_id = "points"

    def __init__(self) -> None:
        self.asked = 0

    def topic_vectors(self, queries: list[str]) -> np.ndarray:
        self.asked += 1
        angle = np.array([float(query.split()[0]) for query in queries])
        return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def circle(per_topic: int = 6) -> list[str]:
    """Four groups of queries, at the ends of a cross."""
    return [f"{np.pi / 2 * group + 0.01 * number} {number}" for number in range(per_topic) for group in range(4)]


def test_queries_that_are_near_are_of_one_topic_and_the_chain_goes_to_neighbours(tmp_path: Path) -> None:
    found = topics_of(Points(), circle(), 4, 7, tmp_path)
    by_group = found.of_query.reshape(-1, 4)
    assert (by_group == by_group[0]).all()
    assert sorted(by_group[0]) == [0, 1, 2, 3]
    groups = [list(by_group[0]).index(topic) for topic in found.chain]
    assert all(abs(a - b) in (1, 3) for a, b in pairwise(groups)), "no step goes across"


def test_topics_are_made_once_and_kept(tmp_path: Path) -> None:
    teacher = Points()
    first, again = (topics_of(teacher, circle(), 4, 7, tmp_path) for _ in range(2))
    assert teacher.asked == 1
    np.testing.assert_array_equal(first.of_query, again.of_query)
    topics_of(teacher, circle(), 4, 8, tmp_path)
    assert teacher.asked == 2


def test_topics_of_more_queries_than_are_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = topics_of(Points(), circle(20), 4, 7, tmp_path / "whole").of_query.reshape(-1, 4)
    monkeypatch.setattr(topics, "FITTED", 40)
    some = topics_of(Points(), circle(20), 4, 7, tmp_path / "some").of_query.reshape(-1, 4)
    assert (some == some[0]).all()
    assert some.shape == whole.shape


def test_more_topics_than_queries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="5 different queries or more"):
        topics_of(Points(), ["1 a", "2 b", "3 c", "4 d", "4 d"], 5, 7, tmp_path)


SHAPES = [(24, 4, 4), (25, 4, 4), (26, 5, 4), (7, 3, 4), (3, 2, 8), (40, 1, 4), (41, 9, 6), (30, 3, 1), (97, 10, 8)]
"""Rows a pass, topics, rows a batch."""


@pytest.mark.parametrize(("rows", "count", "batch"), SHAPES)
def test_every_row_stands_in_every_pass_once_and_batches_are_of_one_topic(rows: int, count: int, batch: int) -> None:
    topic = np.random.default_rng(rows).integers(count, size=rows)
    order = TopicOrder(topic, np.random.default_rng(1).permutation(count), batch, 13)
    passes = [order(number) for number in range(2 * batch)]
    for one in passes:
        assert sorted(one) == list(range(rows))
    whole = np.concatenate(passes)
    batches = [topic[whole[at : at + batch]] for at in range(0, len(whole) - batch + 1, batch)]
    mixed = sum(len(set(one)) > 1 for one in batches)
    # A topic leaves less than a batch in each pass, which joined batches hold; and one batch lies between two passes.
    joined = [sum(n % batch for n in np.bincount(topic)) // batch + 2] * len(passes)
    assert mixed <= sum(joined)
    if rows >= 3 * count * batch:
        assert mixed < len(batches) / 2


def test_whole_topics_are_never_mixed() -> None:
    topic = np.repeat(np.arange(5), 8)
    order = TopicOrder(topic, np.arange(5), 4, 13)
    first, second = order(0), order(1)
    for one in (first, second):
        assert all(len(set(topic[one[at : at + 4]])) == 1 for at in range(0, 40, 4))
    assert list(first) != list(second)
    assert len({tuple(topic[first[::4]]), tuple(np.sort(topic[first[::4]]))}) == 2, "batches come in random order"
    np.testing.assert_array_equal(first, order(0))
    assert list(TopicOrder(topic, np.arange(5), 4, 14)(0)) != list(first)


def test_what_topics_leave_over_fills_batches_of_neighbours_in_the_chain() -> None:
    topic = np.repeat(np.arange(6), 6)  # each topic leaves two of its six rows beside a batch of four
    order = TopicOrder(topic, np.array([3, 0, 5, 1, 4, 2]), 4, 13)
    mixed = {
        frozenset(topic[order(number)[at : at + 4]].tolist())
        for number in range(3)
        for at in range(0, 36, 4)
        if len(set(topic[order(number)[at : at + 4]])) > 1
    }
    assert mixed == {frozenset({3, 0}), frozenset({5, 1}), frozenset({4, 2})}


def test_a_run_by_topics_resumes_to_the_same_bytes_and_is_another_one(
    run: Any,  # noqa: F811
    tiny_data: Dataset,
    tiny_store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"topics": 3, "steps": 12}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", **given, progress=stop_at(9))
    monkeypatch.setattr(topics, "_cluster", lambda *args: pytest.fail("the topics were made again"))
    again = run("broken", **given)
    assert weights(again) == weights(whole)
    assert log(again) == log(whole)
    monkeypatch.undo()
    assert weights(run("plain", steps=12)) != weights(whole)


def test_the_rows_of_a_run_are_of_one_topic_a_batch(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from rankdistill.training.in_batch.collator import InBatchCollator

    seen: list[list[str]] = []
    collate = InBatchCollator.__call__

    def watched(self: InBatchCollator, rows: list[dict[str, Any]]) -> dict[str, Any]:
        seen.append([row["query"] for row in rows])
        return collate(self, rows)

    monkeypatch.setattr(InBatchCollator, "__call__", watched)
    found: dict[str, np.ndarray] = {}
    make = topics.topics_of

    def kept(teacher: Any, queries: list[str], *rest: Any) -> Any:
        made = make(teacher, queries, *rest)
        found.update(zip(queries, made.of_query, strict=True))
        return made

    monkeypatch.setattr("rankdistill.training.run.topics_of", kept)
    run(topics=3, steps=8)
    of_one = [len({int(found[query]) for query in batch}) == 1 for batch in seen]
    assert np.mean(of_one) > 0.4
    assert len({frozenset(batch) for batch in seen}) > 4


def test_damaged_topics_are_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    teacher = Points()
    first = topics_of(teacher, circle(), 4, 7, tmp_path)
    (path,) = tmp_path.glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:])
    again = topics_of(teacher, circle(), 4, 7, tmp_path)
    assert teacher.asked == 2
    assert f"{path.name} is damaged: it is made again" in caplog.text
    np.testing.assert_array_equal(first.of_query, again.of_query)

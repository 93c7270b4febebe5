"""The benchmark of what a question of a conversation costs: what each way reads, and the ratios."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.speed import turns
from tests.benchmarks.test_conversation import as_published
from tests.conversations import write_tiny_sessions


def test_each_way_reads_its_part_of_questions_that_have_turns_before_them(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LIMIT", 64)
    folder = write_tiny_sessions(tiny_beir)
    as_published(folder)
    found = turns.asked(folder, tmp_path, tiny_encoder, 2)
    assert set(found) == {*turns.FORMATS, "rewrite"}
    assert len({len(texts) for texts in found.values()}) == 1
    for place, alone in enumerate(found["question alone"]):
        assert found["history, questions alone"][place].startswith(alone)
        assert len(found["history"][place]) > len(found["history, questions alone"][place]) > len(alone)


def test_ratios_are_to_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**6))
    monkeypatch.setattr(time, "perf_counter", lambda: next(now) / 1000)
    ways = {turns.BASE: lambda place: None, "slower": lambda place: [next(now) for _ in range(3)]}
    (base, slower) = turns.measured(ways, 3, 2)
    assert (base["times"], base["p50_ms"]) == (1.0, 1.0)
    assert (slower["times"], slower["p50_ms"]) == (4.0, 4.0)

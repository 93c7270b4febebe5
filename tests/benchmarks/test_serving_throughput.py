"""What the benchmark of throughput says of measurements, and that it goes on where it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import throughput
from benchmarks.serving.peers.ours import OURS
from benchmarks.serving.throughput import Kept

EXACT = OURS[1]


def measured(per_second: float, p99: float | None) -> dict[str, Any]:
    return {
        "per_second": per_second, "p50_ms": p99, "p99_ms": p99, "server_cpu_us": 10.0, "generator_cpu_share": 0.1,
        "requests": 100, "answered": 98,
    }  # fmt: skip


def filled(kept: Kept, rates: dict[str, list[tuple[float, float | None]]]) -> list[dict[str, Any]]:
    for name, rounds in rates.items():
        for number, (rate, p99) in enumerate(rounds):
            for load in throughput._loads():
                kept.put(measured(rate, p99), number, "layers2", name, load)
            about = {"start_seconds": 1.0, "memory_mb": 100 + number, "vectors": [[1.0, 0.0], [0.6, 0.8]]}
            kept.put(about, number, "layers2", name, "about")
    return throughput._rows("layers2", list(rates), kept, 3)


def test_ratios_are_of_medians_and_need_the_lower_p99(tmp_path: Path) -> None:
    rows = filled(
        Kept(tmp_path / "kept"),
        {
            "rankdistill": [(600.0, 5.0), (700.0, 6.0), (10.0, 7.0)],
            EXACT: [(600.0, 500.0)] * 3,
            "naive": [(100.0, 50.0)] * 3,
            "infinity": [(250.0, 40.0)] * 3,
        },
    )
    assert len(rows) == 4 * len(throughput._loads())
    assert rows[0]["per_second"] == 600.0
    assert rows[0]["per_second_of_rounds"] == [600.0, 700.0, 10.0]
    assert (rows[0]["not_answered"], rows[0]["memory_mb"], rows[0]["least_cosine_with_naive"]) == (6, 102, 1.0)
    ratios = throughput._ratios(rows, "layers2")
    assert ratios["rankdistill"]["naive"] == {
        "server": "naive", "times_as_many": 6.0, "p99_ms": [6.0, 50.0], "reached": True
    }  # fmt: skip
    assert ratios["rankdistill"]["best peer"]["server"] == "infinity"
    assert ratios["rankdistill"]["best peer"]["times_as_many"] == 2.4
    assert not ratios[EXACT]["best peer"]["reached"], "its p99 is higher"


def test_a_peer_that_answers_nothing_divides_nothing(tmp_path: Path) -> None:
    rows = filled(Kept(tmp_path / "kept"), {"rankdistill": [(600.0, 5.0)] * 3, "naive": [(0.0, None)] * 3})
    found = throughput._ratios(rows, "layers2")["rankdistill"]["naive"]
    assert (found["times_as_many"], found["reached"]) == (None, True)


def test_what_was_measured_is_kept_for_its_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Kept(tmp_path / "kept").put({"a": 1}, 0, "layers2", "naive", "closed 1")
    assert Kept(tmp_path / "kept").get(0, "layers2", "naive", "closed 1") == {"a": 1}
    assert Kept(tmp_path / "kept").get(1, "layers2", "naive", "closed 1") is None
    monkeypatch.setattr(throughput, "REVISION", "another")
    assert Kept(tmp_path / "kept").get(0, "layers2", "naive", "closed 1") is None

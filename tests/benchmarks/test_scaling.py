"""The benchmark of sizes, at tiny ones: it measures, and ends where memory would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import provenance
from benchmarks.speed import scaling


@pytest.mark.slow
def test_each_size_is_measured_until_the_next_would_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    scaling.main(["--documents", "300,3000000", "--queries", "5", "--k", "3", "--only", "bm25", "--memory", "9000"])
    first, second = json.loads((tmp_path / "speed_scaling.json").read_text())["paths"]
    assert (first["path"], first["documents"], first["recall"]) == ("bm25", 300, 1.0)
    assert min(first["queries_per_second"], first["memory_mb"], first["disk_mb"], first["build_seconds"]) > 0
    assert first["p50_ms"] <= first["p99_ms"]
    assert (second["ended"], second["needs_mb"] > 9000) == ("memory", True)


@pytest.mark.parametrize("name", scaling.PATHS)
def test_every_path_is_built_and_finds_nearly_what_the_exact_one_does(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--child", name, "--documents", "600", "--queries", "10", "--k", "5", "--work", str(tmp_path)]
    scaling.main(line)
    scaling.main(line)
    built, searched = map(json.loads, capsys.readouterr().out.splitlines())
    assert built["disk_mb"] > 0
    assert searched["recall"] >= (0.3 if name == "ivf" else 0.8)

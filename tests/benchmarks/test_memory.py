"""The benchmark of memory: what it makes can be read; it goes on where it was, says what it skips, divides right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import memory, provenance
from rankdistill import tables
from rankdistill.data import load
from rankdistill.mining import candidates


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "results")
    return tmp_path / "results" / "memory.json"


def test_each_verb_is_measured_once_and_what_it_adds_is_told(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run: list[str] = []

    def watched(command: Sequence[str], most_seconds: float) -> dict[str, object]:
        name, folder = command[command.index("--child") + 1], Path(command[-1])
        run.append(f"{name} {folder.name}")
        size = int(folder.name.partition("-")[2] or 0)
        if name == "check" and size == 40:
            return {"skipped": "took longer than 1 minutes"}
        return {"peak_mib": 100 + size, "own_mib": 50 + size / 2, "seconds": 1.0}

    monkeypatch.setattr(memory, "_watched", watched)
    monkeypatch.setattr(memory, "_make", lambda unit, size, folder: folder.mkdir(parents=True, exist_ok=True))
    line = ["--documents", "10,30", "--scores", "20,40", "--work", str(tmp_path / "work")]
    memory.main([*line, "--only", "read-data,search-exact,score,check"])
    said = capsys.readouterr().out
    assert run == [
        *("none none", "read-data documents-10", "read-data documents-30"),
        *("score scores-20", "check scores-20", "score scores-40", "check scores-40"),
    ]
    assert "search-exact at 10: skipped: needs index-exact at this size, which was not measured" in said
    rows = {row["verb"]: row for row in json.loads(results.read_text())["verbs"]}
    assert rows["read-data"]["bytes_each_peak"] == 2**20
    assert (rows["score"]["bytes_each_own"], rows["score"]["unit"]) == (2**19, "scores")
    assert "bytes_each_own" not in rows["check"]
    run.clear()
    memory.main([*line, "--only", "read-data,score,check"])
    assert run == ["check scores-40"]
    assert "read-data at 10: peak 110 MiB, 55 of its own, 1 s (measured before)" in capsys.readouterr().out


def test_a_verb_that_may_fill_the_disk_is_skipped(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "_watched", lambda *given: {"peak_mib": 1.0, "own_mib": 1.0, "seconds": 1.0})
    memory.main(["--documents", f"{10**13}", "--scores", "", "--work", str(tmp_path / "work"), "--only", "read-data"])
    assert "may need 40,000,000.0 GB of disk" in capsys.readouterr().out


def test_every_verb_needs_what_is_measured_before_it() -> None:
    names = list(memory.CELLS)
    for place, name in enumerate(names):
        assert set(memory.CELLS[name].needs) <= set(names[:place])


def test_what_is_made_can_be_read(tmp_path: Path) -> None:
    memory._write_collection(tmp_path / "data", 50, 8)
    dataset = load(tmp_path / "data")
    assert dataset.counts() == {name: {"queries": 8, "judgements": 8, "relevant": 8} for name in ("few", "train")}
    memory._write_candidates(tmp_path / "candidates", tmp_path / "data", 50, 8)
    table = candidates.read(tmp_path / "candidates")
    assert (len(table), table.schema) == (8 * 50, tables.CANDIDATES)
    relevant = {(row["query_id"], row["doc_id"]) for row in table.to_pylist() if row["label"]}
    assert relevant == {(query, doc) for query, docs in dataset.qrels("train").items() for doc in docs}


@pytest.mark.slow
def test_a_verb_runs_in_a_process_of_its_own(results: Path, tmp_path: Path) -> None:
    line = ["--documents", "60,120", "--scores", "", "--work", str(tmp_path / "work"), "--only", "read-data,index-bm25"]
    memory.main(line)
    none, *rows = json.loads(results.read_text())["verbs"]
    assert all(size["peak_mib"] > none["sizes"][0]["own_mib"] for row in rows for size in row["sizes"])

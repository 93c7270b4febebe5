"""The verb `compare`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.cli.compare import compare
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.evaluating import evaluate
from rankdistill.evaluation.retrieve import Bm25Retriever
from tests.cli.verb import run_verb


@pytest.fixture
def evaluated(tiny_beir: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Folders of two evaluations."""
    dataset = data.load(tiny_beir)
    for name, k1 in (("first", 0.1), ("second", 2.0)):
        evaluate(Bm25Retriever(dataset, name, k1), dataset, "train", tmp_path / name)
    return tmp_path / "first", tmp_path / "second"


def test_two_evaluations_give_a_table_a_page_and_results(evaluated: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = evaluated
    shown = run_verb(compare, first, second, "--baseline", first, "--out", tmp_path / "out", "--measure", "mrr_at_10")
    assert "MRR@10 minus that of first" in shown.stdout
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [system["name"] for system in found["systems"]] == ["first", "second"]
    assert {one["baseline"] for one in found["comparisons"]} == {"first"}
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_bad_input_is_an_error_of_ours_and_writes_nothing(evaluated: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = evaluated
    with pytest.raises(DataError, match="rankdistill evaluate"):
        run_verb(compare, tmp_path / "nowhere", "--baseline", first, "--out", tmp_path / "out")
    with pytest.raises(DataError, match="at least two"):
        run_verb(compare, first, "--baseline", first, "--out", tmp_path / "out")
    with pytest.raises(ConfigError, match="measure"):
        run_verb(compare, second, "--baseline", first, "--out", tmp_path / "out", "--measure", "ndcg")
    assert not (tmp_path / "out").exists()


def test_a_system_trained_several_times_is_named_with_its_evaluations(
    evaluated: tuple[Path, Path], tiny_beir: Path, tmp_path: Path
) -> None:
    first, second = evaluated
    evaluate(Bm25Retriever(data.load(tiny_beir), "base"), data.load(tiny_beir), "train", tmp_path / "base")
    out = tmp_path / "out"
    shown = run_verb(compare, f"both={first},{second}", "--baseline", tmp_path / "base", "--out", out)
    assert "by training" in shown.stdout
    found = json.loads((out / "results.json").read_text())
    assert [(system["name"], system["trainings"]) for system in found["systems"]] == [("base", 1), ("both", 2)]
    assert {len(one["by_training"]) for one in found["comparisons"]} == {2}
    assert "over queries" in found["signature"]["test"]
    assert "±" in (out / "report.html").read_text()
    with pytest.raises(ConfigError, match="NAME=FOLDER"):
        run_verb(compare, "both=", "--baseline", first, "--out", tmp_path / "none")


def test_reports_are_written_where_they_are_asked_for(evaluated: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = evaluated
    page, table = tmp_path / "compare.html", tmp_path / "compare.md"
    shown = run_verb(compare, first, second, "--report", page, "--report", table)
    assert "Queries won and lost" in page.read_text()
    assert table.read_text().startswith("**")
    assert shown.stdout.splitlines()[-2:] == [str(page), str(table)]
    assert "wins most: 'what is the" in shown.stdout
    run_verb(compare, first, second, "--report", tmp_path / "other.html")
    assert page.read_bytes() == (tmp_path / "other.html").read_bytes(), "where it lies is no part of it"
    with pytest.raises(ConfigError, match=r"\.html"):
        run_verb(compare, first, second, "--report", tmp_path / "compare.pdf")

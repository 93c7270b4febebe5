"""The verb `fuse`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.evaluation.evaluating import evaluate
from rankdistill.evaluation.retrieve import Bm25Retriever
from tests.cli.verb import Run


@pytest.fixture
def runs(tiny_beir: Path, tmp_path: Path) -> Path:
    """Evaluations `first` and `second` on test, `first-dev` and `second-dev` on dev."""
    dataset = data.load(tiny_beir)
    for name, k1 in (("first", 0.1), ("second", 2.0)):
        evaluate(Bm25Retriever(dataset, name, k1), dataset, "test", tmp_path / name)
        evaluate(Bm25Retriever(dataset, name, k1), dataset, "dev", tmp_path / f"{name}-dev")
    return tmp_path


def test_two_runs_become_one(rankdistill: Run, runs: Path, tiny_beir: Path) -> None:
    two = f"{runs / 'first'},{runs / 'second'}"
    status, shown = rankdistill("fuse", "--runs", two, "--method", "rrf", "--data", tiny_beir, "--split", "test")
    assert status == 0, shown
    assert "rrf of first + second" in shown
    spaced = two.replace(",", " , ")
    status, shown = rankdistill("fuse", "--runs", spaced, "--data", tiny_beir, "--out", runs / "fused")
    assert status == 0, shown
    assert json.loads((runs / "fused" / "results.json").read_text())["system"]["name"] == "rrf of first + second"
    assert (runs / "fused" / "run.trec").is_file()


def test_weights_are_fitted_on_dev(rankdistill: Run, runs: Path, tiny_beir: Path) -> None:
    status, shown = rankdistill(
        "fuse", "--runs", runs / "first", "--runs", runs / "second" / "run.trec", "--data", tiny_beir,
        "--method", "z_score", "--fit-on", "dev", "--fit-runs", f"{runs / 'first-dev'},{runs / 'second-dev'}",
    )  # fmt: skip
    assert status == 0, shown
    assert "weights fitted on dev: 0." in shown
    assert f"{len(data.load(tiny_beir).queries('dev'))} queries)" in shown
    assert "note:" not in shown


def test_a_run_that_lacks_queries_is_told_of(rankdistill: Run, runs: Path, tiny_beir: Path) -> None:
    lines = (runs / "first" / "run.trec").read_text().splitlines()
    one = lines[0].split()[0]
    (runs / "part.trec").write_text("".join(f"{line}\n" for line in lines if line.split()[0] == one))
    queries = len(data.load(tiny_beir).queries("test"))
    status, shown = rankdistill("fuse", "--runs", f"{runs / 'part.trec'},{runs / 'second'}", "--data", tiny_beir)
    assert status == 0, shown
    assert f"part.trec has no documents for {queries - 1} of {queries} queries of 'test'" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fit-on", "test"], "too good to be true"),
        (["--fit-on", "dev"], "--fit-runs"),
        (["--weights", "1,x"], "numbers with commas"),
        (["--weights", "1"], "2 weights"),
        (["--weights", "0,0"], "not all of them 0"),
        (["--method", "borda"], "rrf, min_max, z_score"),
        (["--split", "dev"], "an evaluation on the split 'dev'"),
    ],
)
def test_bad_input_gives_one_message(
    rankdistill: Run, runs: Path, tiny_beir: Path, words: list[str], said: str
) -> None:
    two = f"{runs / 'first'},{runs / 'second'}"
    status, shown = rankdistill("fuse", "--runs", two, "--data", tiny_beir, "--out", runs / "fused", *words)
    assert status == 1
    assert said in shown
    assert "Traceback" not in shown
    assert not (runs / "fused").exists()


def test_a_single_run_is_refused(rankdistill: Run, runs: Path, tiny_beir: Path) -> None:
    status, shown = rankdistill("fuse", "--runs", runs / "first", "--data", tiny_beir)
    assert status == 1
    assert "at least two systems" in shown


@pytest.mark.parametrize("weights", ["5_5,1", "nan,1", "1,inf", "0x10,1", "1,", "\uff15,1"])
def test_weights_are_plain_numbers(rankdistill: Run, runs: Path, tiny_beir: Path, weights: str) -> None:
    two = f"{runs / 'first'},{runs / 'second'}"
    status, shown = rankdistill(
        "fuse", "--runs", two, "--method", "rrf", "--weights", weights, "--data", tiny_beir, "--split", "test"
    )
    assert status == 1
    assert "weights as numbers" in shown

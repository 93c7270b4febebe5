"""Verdicts on scored runs of real systems over TREC Deep Learning 2019, whose quality is known."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rankdistill import data
from rankdistill.gate.verdict import Report, Status, TeacherReport
from tests.gate.conftest import check, of_check, write_store

KINDS = {"BM25": "dot", "D_BERT_KD_TASB": "dot", "SPLADE_P_P_ENSEMBLE_DISTIL": "dot", "OPEN_AI_ADA2": "cosine"}
KINDS |= {"REP_LLAMA": "cosine"}
GOOD = ["gpt-3.5-turbo__on__BM25", "output_v2_aug_vicuna_7b__on__BM25", "vicuna-7b-checkpoint-800__on__BM25"]
BAD = ["vicuna-7b-v1.5__on__BM25", "vicuna-13b-v1.5__on__BM25"]


def read(folder: Path, name: str) -> pl.DataFrame:
    columns = {"query_id": pl.String, "doc_id": pl.String, "rank": pl.Int32, "score": pl.Float64}
    path = folder / "trec_dl19_pool" / "teacher" / f"{name}.tsv.gz"
    return pl.read_csv(path, separator="\t", has_header=False, schema=columns)


@pytest.fixture(scope="module")
def report(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Every run as a teacher and as a source of candidates, as importing them one after the other gives them."""
    runs = {name: read(real_data, name) for name in [*KINDS, *GOOD, *BAD]}
    candidates = pl.concat(
        rows.with_columns(source=pl.lit(name), source_score=pl.col("score").cast(pl.Float32), label=pl.lit(None))
        for name, rows in runs.items()
    )
    teachers = {name: (KINDS.get(name, "rank"), rows) for name, rows in runs.items()}
    store = write_store(
        tmp_path_factory.mktemp("dl19"), candidates.with_columns(pl.col("label").cast(pl.Int32)), teachers
    )
    return check(store, dataset=data.load(real_data / "trec_dl19_pool"))


def named(report: Report, name: str) -> TeacherReport:
    return next(teacher for teacher in report.teachers if teacher.name == name)


@pytest.mark.parametrize("name", [*KINDS, *GOOD])
def test_no_check_fails_a_good_teacher(report: Report, name: str) -> None:
    assert named(report, name).of_status(Status.FAIL) == []
    assert of_check(named(report, name), "positives").status == Status.PASS


@pytest.mark.parametrize("name", BAD)
def test_rerankers_that_did_nothing_fail_for_what_they_did_not_do(report: Report, name: str) -> None:
    teacher = named(report, name)
    assert [verdict.check for verdict in teacher.of_status(Status.FAIL)] == ["order"]
    # The 13B model moved the same places in 35 of 43 queries; the other left 29 as they were.
    assert ("move the same places" in of_check(teacher, "order").finding) == (name == "vicuna-13b-v1.5__on__BM25")
    # Neither is shown to be no better than BM25: the intervals of their gains contain 0.
    gain = of_check(teacher, "gain")
    assert (gain.status, gain.numbers["source"]) == (Status.WARN, "BM25")
    assert gain.numbers["gain_low"] < 0 < gain.numbers["gain_high"]  # type: ignore[operator]


def test_what_is_wrong_with_some_of_the_good_ones_is_told(report: Report) -> None:
    assert of_check(named(report, "REP_LLAMA"), "resolution").status == Status.WARN  # three decimals
    assert of_check(named(report, "SPLADE_P_P_ENSEMBLE_DISTIL"), "spread").numbers["share_below_1e-6"] > 0.9  # type: ignore[operator]
    assert "uniform" in of_check(named(report, "OPEN_AI_ADA2"), "spread").meaning


def test_a_sigmoid_over_a_real_run_fails(real_data: Path, tmp_path: Path) -> None:
    rows = read(real_data, "D_BERT_KD_TASB")
    score = (pl.col("score") - pl.col("score").mean()) * 2
    squashed = rows.with_columns(score=1 / (1 + (-score).exp()))
    candidates = rows.with_columns(source=pl.lit("TAS-B"), source_score=pl.lit(None), label=pl.lit(None, pl.Int32))
    store = write_store(tmp_path / "store", candidates, {"squashed": ("logit", squashed)})
    assert of_check(check(store), "saturation").status == Status.FAIL

"""The verb `check`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from rankdistill import data
from rankdistill.cli.check import check
from rankdistill.cli.main import build_app
from rankdistill.errors import ConfigError, DataError, GateError, StoreError
from tests.cli.verb import run_verb
from tests.gate.conftest import made_candidates, made_scores, write_store

SQUASHED = 1 / (1 + (-3 * pl.col("score")).exp())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of a good teacher and of its squashed copy."""
    candidates = made_candidates()
    good = made_scores(candidates)
    squashed = good.with_columns(score=SQUASHED)
    write_store(tmp_path / "store", candidates, {"good": ("logit", good), "squashed": ("logit", squashed)})
    return tmp_path / "store"


def test_the_line_of_the_manual_writes_a_page_and_prints_the_verdicts(store: Path, tmp_path: Path) -> None:
    page, numbers = tmp_path / "check.html", tmp_path / "check.json"
    output = run_verb(check, store, "--teacher", "good", "--report", page, "--json", numbers).stdout
    assert "good: pass" in output
    assert "<svg" in page.read_text()
    assert json.loads(numbers.read_text())["status"] == "pass"
    assert [one["name"] for one in json.loads(numbers.read_text())["teachers"]] == ["good"]


def test_a_failing_store_ends_with_an_error_after_the_report_is_written(store: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="squashed: saturation"):
        run_verb(check, store, "--report", tmp_path / "check.html")
    assert "said to be logits" in (tmp_path / "check.html").read_text()


def test_strict_makes_warnings_fail(store: Path) -> None:
    candidates = made_candidates()
    short = made_scores(candidates).head(700)
    write_store(store.parent / "short", candidates, {"short": ("logit", short)})
    assert "warn" in run_verb(check, store.parent / "short").stdout
    with pytest.raises(GateError, match="coverage"):
        run_verb(check, store.parent / "short", "--strict")


def test_of_many_teachers_only_what_is_not_in_order_is_printed(tmp_path: Path) -> None:
    candidates = made_candidates()
    teachers = {f"teacher{number}": ("logit", made_scores(candidates, seed=number)) for number in range(4)}
    rounded = made_scores(candidates).with_columns(pl.col("score").round(0))
    write_store(tmp_path / "store", candidates, teachers | {"rounded": ("logit", rounded)})
    output = run_verb(check, tmp_path / "store").stdout
    assert "rounded: warn" in output
    assert "teacher0: pass" not in output
    assert "teacher0" in output


def test_labels_of_a_data_set(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    rows = [(query_id, doc_id) for query_id in dataset.queries("train") for doc_id in sorted(dataset.contents)]
    candidates = pl.DataFrame(rows, schema={"query_id": pl.String, "doc_id": pl.String}, orient="row").with_columns(
        source=pl.lit("all"), rank=pl.lit(None), source_score=pl.lit(None), label=pl.lit(None, pl.Int32)
    )
    write_store(tmp_path / "store", candidates, {"one": ("logit", made_scores(candidates))})
    run_verb(check, tmp_path / "store", "--data", tiny_beir, "--json", tmp_path / "check.json")
    verdicts = json.loads((tmp_path / "check.json").read_text())["teachers"][0]["verdicts"]
    assert next(one for one in verdicts if one["check"] == "positives")["numbers"]["queries"] == 12


def test_what_a_loss_cannot_train_on_fails_where_it_is_named(tmp_path: Path) -> None:
    candidates = made_candidates()
    ranks = made_scores(candidates).with_columns(score=pl.col("score").rank().over("query_id").cast(pl.Float32) - 12)
    write_store(tmp_path / "store", candidates, {"permutations": ("rank", ranks)})
    assert "scores in rank" in run_verb(check, tmp_path / "store").stdout
    run_verb(check, tmp_path / "store", "--loss", "kl")
    with pytest.raises(GateError, match="unit: scores in rank, for the loss margin_mse"):
        run_verb(check, tmp_path / "store", "--loss", "margin_mse")
    with pytest.raises(ConfigError, match="loss"):
        run_verb(check, tmp_path / "store", "--loss", "hinge")


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["--teacher", "none"], StoreError, "good, squashed"),
        (["--student", "manhattan"], ConfigError, "cosine or dot"),
        (["--data", "./nowhere"], DataError, "no such folder"),
    ],
)
def test_bad_input_is_an_error_that_says_what_to_do(
    store: Path, words: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_verb(check, store, *words)


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rankdistill score"):
        run_verb(check, tmp_path)


def test_the_verb_is_listed() -> None:
    assert "check" in CliRunner().invoke(build_app(), ["--help"]).output

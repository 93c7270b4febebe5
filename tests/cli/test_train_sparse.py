"""The verb `train` with sparse types of students, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentence_transformers import SparseEncoder

from rankdistill.cli.train import train
from tests.cli.test_train import store
from tests.cli.verb import Run, run_verb

__all__ = ["store"]  # a fixture


@pytest.fixture
def words(tiny_beir: Path, store: Path, tiny_splade: str, tmp_path: Path) -> list[object]:
    """The line of the manual, but for the type."""
    given = ["--data", tiny_beir, "--store", store, "--student", tiny_splade, "--out", tmp_path / "student"]
    return [*given, "--steps", 2, "--batch-size", 2]


def parameters(tmp_path: Path) -> dict[str, object]:
    return json.loads((tmp_path / "student/manifest.json").read_text())["parameters"]


@pytest.mark.parametrize(
    ("type_", "loss", "known_as"), [("splade", "margin_mse", "margin_mse"), ("inference-free", "kl", "kl_div")]
)
def test_the_lines_of_the_manual_work(
    type_: str, loss: str, known_as: str, words: list[object], tmp_path: Path
) -> None:
    assert "student: " in run_verb(train, *words, "--type", type_, "--loss", loss).stdout
    assert SparseEncoder(str(tmp_path / "student"), device="cpu").encode_query(["river"]).shape[0] == 1
    assert parameters(tmp_path)["loss"] == known_as
    assert parameters(tmp_path)["type"] == type_


def test_regularisers_reach_the_run(words: list[object], tmp_path: Path) -> None:
    flags = ["--type", "splade", "--loss", "splade_v3", "--query-regulariser", "l1", "--query-regulariser-weight", 0.5]
    run_verb(train, *words, *flags, "--document-regulariser", "l0_flops", "--document-regulariser-weight", 0.25)
    found = parameters(tmp_path)
    assert (found["query_regulariser"], found["query_regulariser_weight"]) == ("l1", 0.5)
    assert (found["document_regulariser"], found["document_regulariser_weight"]) == ("l0_flops", 0.25)


@pytest.mark.parametrize(
    ("loss", "query", "document"),
    [("margin_mse", 0.1, 0.08), ("kl", 0.005, 0.005), ("contrastive", 0.0003, 0.0001), ("splade_v3", 0.01, 0.009)],
)
def test_a_weight_that_is_not_named_is_that_of_the_loss(
    loss: str, query: float, document: float, words: list[object], tmp_path: Path
) -> None:
    run_verb(train, *words, "--type", "splade", "--loss", loss)
    found = parameters(tmp_path)["regulariser_weights"]
    assert found == {"query": pytest.approx(query), "document": pytest.approx(document)}
    words[words.index("--out") + 1] = tmp_path / "named" / "student"
    run_verb(train, *words, "--type", "splade", "--loss", loss, "--query-regulariser-weight", 0.5)
    named = parameters(tmp_path / "named")
    assert named["query_regulariser_weight"] == 0.5
    assert named["regulariser_weights"] == {"document": pytest.approx(document)}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--type", "sparse"], "'inference-free'"),
        (["--type", "splade", "--loss", "leaf"], "splade_v3"),
        (["--type", "splade", "--document-regulariser-weight", "-1"], "greater than or equal to 0"),
        (["--type", "dense", "--query-regulariser", "flops"], "a query regulariser"),
        (["--type", "splade", "--document-regulariser", "l1", "--document-regulariser-weight", "0"], "no weight"),
    ],
)
def test_bad_settings_are_one_clear_error(
    flags: list[str], message: str, words: list[object], tmp_path: Path, rankdistill: Run
) -> None:
    status, shown = rankdistill("train", *words, *flags)
    assert status != 0
    assert message in " ".join(shown.split())
    assert "Traceback" not in shown
    assert not (tmp_path / "student/manifest.json").exists()


def test_an_encoder_without_a_head_is_told_of_new_head(
    words: list[object], tiny_encoder: str, rankdistill: Run
) -> None:
    line = ["train", *words, "--student", tiny_encoder, "--type", "splade"]
    status, shown = rankdistill(*line)
    assert status != 0
    assert "--new-head" in shown
    assert rankdistill(*line, "--new-head")[0] == 0


def test_a_type_needs_scores(tmp_path: Path, rankdistill: Run) -> None:
    status, shown = rankdistill(
        "train", "--embeddings", tmp_path, "--student", "x", "--out", tmp_path / "y", "--type", "splade"
    )
    assert status != 0
    assert "--type" in shown


def test_a_limit_of_queries_that_no_model_reads_is_refused(
    words: list[object], tmp_path: Path, rankdistill: Run
) -> None:
    (tmp_path / "train.yaml").write_text("max_query_length: 8\n")
    status, shown = rankdistill("train", *words, "--type", "inference-free", "--config", tmp_path / "train.yaml")
    assert (status, "max_query_length 8" in shown, "Traceback" in shown) == (1, True, False), shown
    assert not (tmp_path / "student/manifest.json").exists()

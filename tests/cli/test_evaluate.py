"""The verb `evaluate`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill import data
from rankdistill.cli.evaluate import evaluate
from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.evaluation.fused import FusedRetriever
from rankdistill.evaluation.measures import evaluate_run
from rankdistill.evaluation.stored_run import StoredRun
from rankdistill.fusion import Fusion
from rankdistill.indexing import build, load
from tests.cli.verb import run_verb


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_a_model_is_evaluated_and_all_tools_agree(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    line = ["--data", tiny_beir, "--split", "test", "--model", tiny_encoder, "--out", tmp_path / "out"]
    shown = run_verb(evaluate, *line, "--through", "all", "--latency", 2, "--backend", "torch")
    found = results(tmp_path / "out")
    assert {"ndcg_at_10", "recall_at_100", "mrr_at_10"} <= found.keys()
    assert f"{found['ndcg_at_10']:.4f}" in shown.stdout
    for tool in ("mteb", "beir"):
        assert found["through"][tool]["ndcg_at_10"] == pytest.approx(found["ndcg_at_10"], abs=1e-4)
    assert found["system"]["latency_ms"]["queries"] == 2
    assert found["system"]["parameters"] > 0


def test_a_built_index_gives_the_values_of_the_model(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    build(data.load(tiny_beir), tiny_encoder, tmp_path / "index", "Flat", backend="torch")
    line = ["--data", tiny_beir, "--model", tiny_encoder, "--backend", "torch"]
    run_verb(evaluate, *line, "--out", tmp_path / "a")
    run_verb(evaluate, *line, "--index", tmp_path / "index", "--out", tmp_path / "b")
    assert results(tmp_path / "a")["ndcg_at_10"] == pytest.approx(results(tmp_path / "b")["ndcg_at_10"])
    with pytest.raises(SpaceMismatchError):
        run_verb(evaluate, *line, "--index", tmp_path / "index", "--max-length", 8, "--out", tmp_path / "c")


def test_bm25_and_a_teacher_re_ranking_it(tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path) -> None:
    line = ["--data", tiny_beir, "--model", "bm25"]
    run_verb(evaluate, *line, "--out", tmp_path / "bm25")
    run_verb(
        evaluate,
        *line,
        "--rerank",
        tiny_cross_encoder,
        "--rerank-depth",
        5,
        "--name",
        "teacher",
        "--out",
        tmp_path / "t",
    )
    before, after = results(tmp_path / "bm25"), results(tmp_path / "t")
    assert before["system"]["name"] == "BM25"
    assert after["system"]["name"] == "teacher"
    assert after["recall_at_100"] == before["recall_at_100"]
    assert after["ndcg_at_10"] != before["ndcg_at_10"]


def test_bad_rows_stop_the_evaluation_unless_it_is_lenient(tiny_beir: Path, tmp_path: Path) -> None:
    with (tiny_beir / "qrels" / "test.tsv").open("a") as qrels:
        qrels.write("nobody\td00\t1\n")
    line = ["--data", tiny_beir, "--model", "bm25", "--out", tmp_path / "out"]
    with pytest.raises(DataError, match="nobody"):
        run_verb(evaluate, *line)
    assert "nobody" in run_verb(evaluate, *line, "--lenient").stderr


def test_an_unknown_split_names_the_splits_there_are(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dev, test, train"):
        run_verb(evaluate, "--data", tiny_beir, "--split", "tests", "--model", "bm25", "--out", tmp_path / "out")


def test_several_indexes_are_fused_as_their_runs_are(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "dense", backend="torch")
    build(dataset, None, tmp_path / "words", factory="bm25")
    for name in ("dense", "words"):
        run_verb(evaluate, "--data", tiny_beir, "--index", tmp_path / name, "--out", tmp_path / f"{name}-run")
    parts = [StoredRun(tmp_path / f"{name}-run", dataset, "test") for name in ("dense", "words")]
    both = ["--data", tiny_beir, "--index", tmp_path / "dense", "--index", tmp_path / "words"]
    run_verb(evaluate, *both, "--fusion", "rrf", "--weights", "1,2", "--out", tmp_path / "fused")
    run = FusedRetriever(parts, Fusion("rrf", (1.0, 2.0))).retrieve(dataset.queries("test"), 100)
    expected = evaluate_run(run, dataset.qrels("test")).means
    found = results(tmp_path / "fused")
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["system"]["index_bytes"] == sum(load(tmp_path / name).size for name in ("dense", "words"))

    fitting = ["--fusion", "z_score", "--fit-on", "dev", "--out", tmp_path / "fitted"]
    assert "weights fitted on dev: " in run_verb(evaluate, *both, *fitting).stdout
    assert results(tmp_path / "fitted")["signature"]["system"]["fusion"]["weights"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fusion", "rrf", "--fit-on", "test"], "too good to be true"),
        (["--fusion", "rrf", "--fit-on", "dev", "--weights", "1,1"], "or with neither"),
        (["--fit-on", "dev"], "--fusion METHOD"),
        ([], "--fusion rrf"),
        (["--fusion", "rrf", "--model", "bm25"], "with its own"),
    ],
)
def test_fusions_that_make_no_sense_are_refused(tiny_beir: Path, tmp_path: Path, words: list[str], said: str) -> None:
    build(data.load(tiny_beir), None, tmp_path / "words", factory="bm25")
    both = ["--data", tiny_beir, "--index", tmp_path / "words", "--index", tmp_path / "words"]
    with pytest.raises(ConfigError, match=said):
        run_verb(evaluate, *both, *words, "--out", tmp_path / "fused")
    assert not (tmp_path / "fused").exists()

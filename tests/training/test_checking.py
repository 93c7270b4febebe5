"""Training runs the gate on what it reads: refusals, the override, what the log says, and what stays the same."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from rankdistill import manifest
from rankdistill.data import Dataset, load
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import GateError
from rankdistill.formats.importing import Request, import_scores
from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_store
from rankdistill.gate.verdict import Status
from rankdistill.stores.reader import ScoreStore
from rankdistill.training import inputs
from rankdistill.training.checking import check
from rankdistill.training.config import TrainConfig
from rankdistill.training.config import read as read_config
from rankdistill.training.run import train
from tests import arguana
from tests.beir_folder import beir_folder
from tests.training.conftest import MemoryStore

KINDS = {"teacher": "logit"}
THINGS = ["river", "violin", "bread", "bridge", "engine", "garden", "window"]


@pytest.fixture
def squashed(tiny_store: MemoryStore) -> MemoryStore:
    """The store after a sigmoid."""
    sigmoid = 1 / (1 + (-pl.col("score") * 3).exp())
    return replace(tiny_store, score_frame=tiny_store.score_frame.with_columns(score=sigmoid.cast(pl.Float32)))


def read(dataset: Dataset, store: MemoryStore) -> inputs.Inputs:
    return inputs.read(dataset, store, "train", None)


def test_too_little_data_is_not_refused(tiny_data: Dataset, tiny_store: MemoryStore) -> None:
    log = check(read(tiny_data, tiny_store), KINDS, TrainConfig(), cosine=True)
    assert log["mode"] == "refuse"
    assert log["verdicts"]["positives"]["status"] == "unknown"
    assert log["verdicts"]["finite"] == {"status": "pass", "finding": "all 117 scores are finite"}


def test_broken_scores_are_refused_unless_told(tiny_data: Dataset, squashed: MemoryStore) -> None:
    found = read(tiny_data, squashed)
    with pytest.raises(GateError, match="--no-check"):
        check(found, KINDS, TrainConfig(), cosine=True)
    with pytest.raises(GateError, match="got: reader: saturation"):
        check(found, KINDS, TrainConfig(), cosine=True, name="reader")
    log = check(found, KINDS, TrainConfig(check="warn"), cosine=True)
    assert (log["status"], log["verdicts"]["saturation"]["status"]) == ("fail", "fail")
    assert check(found, KINDS, TrainConfig(check="off"), cosine=True) == {"mode": "off"}


def test_a_loss_that_reads_no_teacher_score_is_not_checked(tiny_data: Dataset, squashed: MemoryStore) -> None:
    assert check(read(tiny_data, squashed), KINDS, TrainConfig(loss="contrastive"), cosine=True) == {"mode": "off"}


def test_a_refused_run_leaves_no_student_and_a_told_one_does(
    tiny_data: Dataset, squashed: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    settings = {"batch_size": 4, "negatives": 2, "eval_steps": 2, "log_steps": 2, "steps": 2, "precision": "float32"}
    out = tmp_path / "student"
    with pytest.raises(GateError):
        train(tiny_data, squashed, tiny_encoder, out, TrainConfig(**settings))
    assert manifest.read(out) is None
    train(tiny_data, squashed, tiny_encoder, out, TrainConfig(**settings, check="warn"))
    log = json.loads((out / "training_log.json").read_text())
    assert log["check"]["verdicts"]["saturation"]["status"] == "fail"
    made = manifest.expect(out, "student", "train")
    assert "check" not in made.parameters
    assert train(tiny_data, squashed, tiny_encoder, out, TrainConfig(**settings)) == out  # it is finished


@pytest.fixture
def permutations(tmp_path: Path) -> Path:
    """Rank-DistiLLM: ranks without scores, imported as a store; the first of each query is its labelled document."""
    draw = random.Random(0)
    rows = [
        (f"q{query}", f"d{place}", rank)
        for query in range(24)
        for rank, place in enumerate(draw.sample(range(60), 8), start=1)
    ]
    pl.DataFrame(rows, schema=["query_id", "doc_id", "rank"], orient="row").write_parquet(tmp_path / "ranks.parquet")
    ranked = beir_folder(
        tmp_path / "ranked",
        {f"d{place}": f"the {THINGS[place % 7]} of number {place}" for place in range(60)},
        {f"q{query}": f"which {THINGS[query % 7]} {query}" for query in range(24)},
        {"train": [(query, doc, 1) for query, doc, rank in rows if rank == 1]},
    )
    request = Request("rank-distillm", [tmp_path / "ranks.parquet"], "zephyr", "rank", load(ranked), "train")
    import_scores(request, tmp_path / "store")
    return tmp_path


@pytest.mark.parametrize("loss", ["kl", "contrastive", "margin_mse", "margin_mse_all", "splade_v3"])
def test_training_refuses_what_the_gate_refuses_of_permutations(permutations: Path, loss: str) -> None:
    dataset, store = load(permutations / "ranked"), ScoreStore(permutations / "store")
    config = read_config(None, loss=loss)
    found = inputs.read(dataset, store, "train", None)
    report = examine(of_store(store), loss=config.loss)
    refused = [verdict.check for verdict in report.teachers[0].of_status(Status.FAIL)]
    assert refused == (["unit"] if loss in ("margin_mse", "margin_mse_all", "splade_v3") else [])
    names = store.own_names(found.teacher_id)
    if refused:
        with pytest.raises(GateError, match="unit: scores in rank") as caught:
            check(found, store.score_kinds(), config, True, names)
        assert "kl" in caught.value.remedy
        assert "--calibrate" in caught.value.remedy
    else:
        log = check(found, store.score_kinds(), config, True, names)
        told = {name: verdict["status"] for name, verdict in log.get("verdicts", {}).items()}
        assert loss == "contrastive" or told == report.teachers[0].summary()


@pytest.mark.parametrize(("calibrate", "refused"), [("zscore", False), ("rank", False), ("none", True)])
def test_an_ensemble_of_permutations_goes_through_the_same_door(
    permutations: Path, calibrate: str, refused: bool
) -> None:
    dataset = load(permutations / "ranked")
    ensemble = Ensemble(ScoreStore(permutations / "store"), ["zephyr"], calibrate)
    found = inputs.read(dataset, ensemble, "train", None)
    given = (found, ensemble.score_kinds(), TrainConfig(), True, ensemble.own_names(found.teacher_id))
    if refused:
        with pytest.raises(GateError, match="unit"):
            check(*given)
    else:
        assert check(*given)["verdicts"]["order"]["status"] == "unknown"  # not compared with its own members


def test_splade_v3_without_margins_reads_ranks(permutations: Path) -> None:
    dataset, store = load(permutations / "ranked"), ScoreStore(permutations / "store")
    found = inputs.read(dataset, store, "train", None)
    config = TrainConfig(loss="splade_v3", margin_weight=0)
    names = store.own_names(found.teacher_id)
    assert check(found, store.score_kinds(), config, False, names)["verdicts"]["unit"]["status"] == "pass"


def test_the_querys_own_document_is_no_negative(tmp_path: Path) -> None:
    """A store that others filled may hold it, scored highest of all."""
    folder = arguana.write(tmp_path / "arguana")
    dataset, kept = load(folder), load(folder, ignore_identical_ids=False)
    pairs = [("pro00", "pro00", 9.0, None), ("pro00", "con00", 5.0, 1), ("pro00", "pro01", 1.0, None)]
    rows = pl.DataFrame(pairs, ["query_id", "doc_id", "score", "label"], orient="row")
    store = MemoryStore(
        rows.select("query_id", "doc_id", "score"),
        rows.select("query_id", "doc_id", pl.lit("s").alias("source"), pl.col("label").cast(pl.Int32)),
        dataset.queries(),
        dataset.contents,
    )
    found, every = (inputs.read(one, store, "test", None) for one in (dataset, kept))
    assert found.candidates["doc_id"].to_list() == found.scores["doc_id"].to_list() == ["con00", "pro01"]
    assert every.candidates["doc_id"].to_list() == ["pro00", "con00", "pro01"]
    assert found.hashes() != every.hashes()

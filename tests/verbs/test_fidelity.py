"""The verb `fidelity`, from Python and as a user types it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import rankdistill as rd
from rankdistill.errors import ConfigError, DataError, StaleOutputError, StoreError
from rankdistill.evaluation.fidelity.records import Fidelity
from rankdistill.evaluation.measures import evaluate_run
from rankdistill.models import resolve
from rankdistill.verbs.fidelity import note_trained_on
from tests.cli.verb import Run

DEPTH = 12


class Letters:
    """A teacher that scores a pair by how often its document has the query's first letters."""

    score_kind = "logit"
    teacher_id = "letters-1"
    fingerprint: dict[str, Any] = {"kind": "letters"}  # noqa: RUF012

    def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> NDArray[np.float32]:
        return np.array([sum(map(document.count, query.split()[-2])) for query, document in pairs], dtype=np.float32)


@pytest.fixture
def scored(tiny_beir: Path, tmp_path: Path) -> Path:
    """A store of the teacher's scores of dev queries."""
    candidates = rd.mine(tiny_beir, tmp_path / "mined", sources=["bm25"], split="dev", depth=DEPTH)
    rd.score(tiny_beir, Letters(), candidates, tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.usefixtures("torch_alone")
@pytest.mark.parametrize("model", ["tiny_encoder", "tiny_splade", "tiny_multi_vector", "tiny_cross_encoder"])
def test_students_of_every_kind_are_held_against_the_teacher(
    model: str, scored: Path, tiny_beir: Path, request: pytest.FixtureRequest
) -> None:
    found = rd.fidelity(tiny_beir, request.getfixturevalue(model), scored)
    assert (found.split, found.queries, found.pairs) == ("dev", 6, rd.open(scored).count())
    assert -1 <= found["kendall"].value <= found["overlap"].value <= 1
    assert 0 < found["kl_divergence"].value <= found["kl_divergence"].chance + 1e-12
    assert found.gap is not None
    assert sum(part.difference for part in found.gap.parts) == pytest.approx(found.gap.gap, abs=1e-12)


def test_the_teacher_is_a_perfect_copy_of_itself(scored: Path, tiny_beir: Path) -> None:
    found = rd.fidelity(tiny_beir, Letters(), scored)
    assert [one.value for one in found.agreements] == pytest.approx([0, 1, 1, 1, 1], abs=1e-9)
    assert found.gap is not None
    assert found.gap.parts[-1].difference == 0


def test_the_rankings_of_the_gap_are_judged_as_evaluate_judges(scored: Path, tiny_beir: Path) -> None:
    dataset = rd.open(tiny_beir)
    found = rd.fidelity(dataset, Letters(), scored)
    assert found.gap is not None
    table = rd.open(scored).candidates().filter(pl.col("rank").is_not_null()).select("query_id", "doc_id").unique()
    scores = rd.open(scored).scores().join(table, on=["query_id", "doc_id"])
    run: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in scores.iter_rows():
        run.setdefault(query_id, {})[doc_id] = score
    expected = evaluate_run(run, dataset.qrels("dev")).means["ndcg_at_10"]
    of = {rung.name: rung.ndcg_at_10 for rung in found.gap.rungs}
    assert of["teacher"] == of["student"] == pytest.approx(expected)
    assert of["perfect"] == 1
    frame = found.to_polars()
    assert frame.columns[:5] == ["query_id", "ndcg_perfect", "ndcg_ceiling", "ndcg_teacher", "ndcg_student"]
    assert frame["ndcg_teacher"].mean() == pytest.approx(of["teacher"])


def test_what_the_whole_collection_changes_is_a_fourth_part(scored: Path, tiny_beir: Path, tmp_path: Path) -> None:
    searched = rd.evaluate(tiny_beir, "bm25", tmp_path / "run", split="dev")
    found = rd.fidelity(tiny_beir, Letters(), scored, run=searched)
    assert found.gap is not None
    assert [part.name for part in found.gap.parts][-1] == "search"
    assert found.gap.rungs[-1].ndcg_at_10 == pytest.approx(searched.system.measures["ndcg_at_10"])
    assert sum(part.difference for part in found.gap.parts) == pytest.approx(1 - found.gap.rungs[-1].ndcg_at_10)
    assert "what the student finds in the collection" in str(found)


NOT_KNOWN = "which model it is of"


@pytest.mark.usefixtures("torch_alone")
def test_the_run_of_another_model_is_an_error_and_what_is_not_known_a_note(
    scored: Path, tiny_beir: Path, tiny_encoder: str, stranger: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs, words = (
        rd.evaluate(tiny_beir, model, tmp_path / name, split="dev")
        for name, model in (("ours", tiny_encoder), ("theirs", stranger), ("words", "bm25"))
    )
    told, other = (resolve(one).weights_hash[:12] for one in (tiny_encoder, stranger))
    with pytest.raises(DataError, match=rf"model has weights {told}\s+got: .*theirs.* read by weights {other}"):
        rd.fidelity(tiny_beir, tiny_encoder, scored, run=theirs)
    with pytest.raises(DataError, match="read by no model"):
        rd.fidelity(tiny_beir, tiny_encoder, scored, tmp_path / "out", run=words)
    assert not (tmp_path / "out").exists()
    rd.fidelity(tiny_beir, tiny_encoder, scored, run=ours)
    assert NOT_KNOWN not in caplog.text
    rd.fidelity(tiny_beir, tiny_encoder, scored, run=ours.path / "run.trec")
    assert f"run.trec does not say {NOT_KNOWN}" in caplog.text
    rd.fidelity(tiny_beir, Letters(), scored, run=ours)
    assert "Letters does not tell its weights" in caplog.text


@pytest.mark.usefixtures("torch_alone")
def test_what_scored_the_pairs_is_whose_run_a_reranked_one_is(
    scored: Path, tiny_beir: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    first = rd.evaluate(tiny_beir, tiny_encoder, tmp_path / "first", split="dev")
    ranked = rd.rerank(tiny_beir, first, tiny_cross_encoder, tmp_path / "ranked", split="dev")
    found = rd.fidelity(tiny_beir, tiny_cross_encoder, scored, run=ranked)
    assert found.gap is not None
    assert found.gap.parts[-1].name == "search"
    with pytest.raises(DataError, match="another system"):
        rd.fidelity(tiny_beir, tiny_encoder, scored, run=ranked)


@pytest.mark.usefixtures("torch_alone")
def test_the_command_says_what_python_says_and_its_folder_opens(
    scored: Path, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, rankdistill: Run
) -> None:
    words = ["fidelity", "--model", tiny_encoder, "--store", scored, "--data", tiny_beir, "--split", "dev"]
    status, shown = rankdistill(*words)
    assert status == 0
    assert "Spearman" in shown
    assert "candidate ceiling" in shown
    out = tmp_path / "out"
    status, shown = rankdistill(*words, "--out", out, "--json")
    assert status == 0
    found = rd.open(out)
    assert isinstance(found, Fidelity)
    assert json.JSONDecoder().raw_decode(shown)[0] == json.loads(json.dumps(found.to_json()))
    again = rd.fidelity(tiny_beir, tiny_encoder, scored)
    assert again.agreements == found.agreements
    assert again.gap == found.gap
    assert again.to_polars().equals(found.to_polars())
    assert found.plot().axes
    before = (out / "report.html").stat().st_mtime_ns
    assert rankdistill(*words, "--out", out)[0] == 0
    assert (out / "report.html").stat().st_mtime_ns == before
    with pytest.raises(StaleOutputError, match="student"):
        rd.fidelity(tiny_beir, Letters(), scored, out)


@pytest.mark.usefixtures("torch_alone")
def test_a_bundle_is_a_student_of_two_towers(
    scored: Path, tiny_beir: Path, student: str, teacher: str, tmp_path: Path
) -> None:
    bundle = rd.bundle(student, teacher, tmp_path / "bundle", onnx=False)
    found = rd.fidelity(tiny_beir, bundle, scored, k=3)
    own = rd.fidelity(tiny_beir, teacher, scored, k=3)
    assert found["overlap"].measure == own["overlap"].measure
    assert found["spearman"].value != own["spearman"].value
    searched = rd.evaluate(tiny_beir, bundle, tmp_path / "searched", split="dev")
    assert rd.fidelity(tiny_beir, bundle, scored, run=searched).gap is not None
    alone = rd.evaluate(tiny_beir, teacher, tmp_path / "alone", split="dev")
    with pytest.raises(DataError, match="another system"):
        rd.fidelity(tiny_beir, bundle, scored, run=alone)


def test_a_store_without_the_splits_queries_says_how_to_get_them(scored: Path, tiny_beir: Path) -> None:
    with pytest.raises(DataError, match=r"rankdistill mine --data .* --split test"):
        rd.fidelity(tiny_beir, Letters(), scored, split="test")
    with pytest.raises(StoreError):
        rd.fidelity(tiny_beir, Letters(), scored, teacher="another")
    with pytest.raises(ConfigError, match="temperature above 0"):
        rd.fidelity(tiny_beir, Letters(), scored, temperature=0)
    with pytest.raises(ConfigError, match="k of at least 1"):
        rd.fidelity(tiny_beir, Letters(), scored, k=0)


def test_what_would_mislead_is_a_note(
    scored: Path, tiny_beir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    qrels = tiny_beir / "qrels" / "more.tsv"
    qrels.write_text((tiny_beir / "qrels" / "dev.tsv").read_text() + "q20\td01\t1\n")
    (tiny_beir / "qrels" / "dev.tsv").unlink()
    (tiny_beir / "qrels" / "test.tsv").unlink()
    with caplog.at_level(logging.WARNING, "rankdistill"):
        rd.fidelity(tiny_beir, Letters(), scored, split="more", k=50)
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "scores of 6 of 7 queries of 'more'" in told
    assert "6 of 6 queries have 50 candidates or fewer" in told
    caplog.clear()
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "training_log.json").write_text("{}")
    from rankdistill import manifest

    manifest.Manifest("student", parameters={"split": "train"}).write(folder)
    with caplog.at_level(logging.WARNING, "rankdistill"):
        note_trained_on(folder, "dev")
        assert not caplog.records
        note_trained_on(folder, "train")
    assert "trained on 'train'" in caplog.records[0].getMessage()


def test_an_ensemble_is_a_teacher_too(scored: Path, tiny_beir: Path) -> None:
    ensemble = rd.Ensemble(scored, ["letters-1"], calibrate="zscore")
    found = rd.fidelity(tiny_beir, Letters(), ensemble)
    assert found["spearman"].value == pytest.approx(1)
    with pytest.raises(ConfigError, match="beside an ensemble"):
        rd.fidelity(tiny_beir, Letters(), ensemble, teacher="letters-1")

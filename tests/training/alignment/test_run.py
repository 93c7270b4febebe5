"""Whole alignment runs: the artefact, resuming, the dev splits, refusals."""

from __future__ import annotations

import json
import pickle
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from tokenizers import Tokenizer

from rankdistill import manifest, space
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, LossInputError, StaleOutputError, StoreError
from rankdistill.inference import TextEncoder, trained_dimensions
from rankdistill.students import dense, prepare
from rankdistill.students.settings import StudentSettings
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment import monitor, objective, selection
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.run import align, is_static
from rankdistill.training.settings import RunSettings
from tests.forked import Forked
from tests.training.alignment.conftest import MemoryEmbeddings
from tests.training.test_interrupted_runs import Steps, checkpoints_of, files_of, send
from tests.training.test_run import log, stop_at

SMALL = {
    "batch_size": 8,
    "eval_steps": 4,
    "log_steps": 2,
    "precision": "float32",
    "learning_rate": 1e-3,
    "steps": 8,
    "cycles": 2,
    "held_out": 12,
}

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_embeddings: MemoryEmbeddings, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(
        name: str = "student",
        *,
        embeddings: MemoryEmbeddings = tiny_embeddings,
        student: str = tiny_encoder,
        **given: Any,
    ) -> Path:
        options = {"keep_layers": [0, 2] if student == tiny_encoder else None}
        options |= {key: given.pop(key) for key in list(given) if key not in AlignConfig.model_fields}
        return align(embeddings, student, tmp_path / name, settings.read(None, **SMALL | given), **options)

    return start


def cosine(student: SentenceTransformer, embeddings: MemoryEmbeddings) -> float:
    texts = embeddings.texts()["text"].to_pylist()
    return float((student.encode(texts, normalize_embeddings=True) * embeddings.array).sum(axis=1).mean())


def test_the_student_is_plain_and_carries_its_teachers_space(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    out = run()
    student = SentenceTransformer(str(out), device="cpu")
    assert student.transformers_model.config.num_hidden_layers == 2
    assert isinstance(student[-1], Normalize)
    assert student.get_embedding_dimension() == tiny_embeddings.dimension
    assert space.read(out) == tiny_embeddings.space
    made = manifest.expect(out, "student", "train")
    assert made.inputs["embeddings"] == tiny_embeddings.identity
    assert {"space.json", "model.safetensors", "training_log.json"} <= made.outputs.keys()
    assert not (out / "checkpoints").exists()
    assert space.FILE_NAME in (out / "README.md").read_text()


def test_the_student_comes_nearer_to_its_teacher(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    preparation = {"fit": False}
    out = run(steps=50, eval_steps=50, cycles=1, learning_rate=3e-3, preparation=preparation)
    points = log(out)["monitor"]
    cosines = [point["held_out/cosine_mean"] for point in points]
    assert cosines[-1] > cosines[0] + 0.2
    before = dense.load(str(run("before", steps=1, learning_rate=1e-9, preparation=preparation)))
    assert cosine(dense.load(str(out)), tiny_embeddings) > cosine(before, tiny_embeddings) + 0.2


def test_what_was_trained_is_what_is_loaded(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    """The projection is a module of the model: nothing of it is lost on saving."""
    out = run(steps=6)
    held_out = log(out)["monitor"][-1]["held_out/cosine_mean"]
    rows = selection.select(tiny_embeddings.texts(), 12, []).held_out
    assert len(rows) == 12
    watch = monitor.Monitor(tiny_embeddings, rows, {})
    assert watch(dense.load(str(out)))["held_out/cosine_mean"] == pytest.approx(held_out, abs=1e-6)


def test_the_same_inputs_give_the_same_bytes(run: Run) -> None:
    one, other = (run(name, steps=4) for name in ("one", "other"))
    for path in one.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (other / path.relative_to(one)).read_bytes(), path.name


def test_the_loss_curve_is_that_of_a_plain_loop(run: Run, tiny_embeddings: MemoryEmbeddings, tiny_encoder: str) -> None:
    """Torch alone: the same texts in the same order, AdamW, clipping, the rate written out."""
    config = settings.read(None, **SMALL | {"log_steps": 1, "steps": 6, "held_out": 0})
    curve = [point["loss"] for point in log(run(log_steps=1, steps=6, held_out=0))["loss"]]
    chosen = StudentSettings.model_validate({"keep_layers": (0, 2)})
    model = prepare.prepare(tiny_encoder, chosen, tiny_embeddings.space, tiny_embeddings, dropout=0.0).train()
    decayed = [p for name, p in model.named_parameters() if "bias" not in name and "LayerNorm" not in name]
    others = [p for name, p in model.named_parameters() if "bias" in name or "LayerNorm" in name]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}])
    order = selection.mixture(selection.select(tiny_embeddings.texts(), 0, []), config)
    texts = tiny_embeddings.texts()["text"].to_pylist()
    expected = []
    for step, rate in enumerate([1e-3, 5.5e-4, 1e-4] * 2):
        rows = order.rows(0)[8 * step : 8 * step + 8]
        vectors = model(model.preprocess([texts[row] for row in rows]))["sentence_embedding"]
        loss = (vectors - torch.from_numpy(tiny_embeddings.array[rows])).pow(2).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        expected.append(loss.item())
    assert curve == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("limit", [0.1, 1e6])
def test_the_log_tells_the_share_of_clipped_steps(run: Run, limit: float) -> None:
    told = log(run(log_steps=1, max_gradient_norm=limit))
    assert told["clipped_steps"] == np.mean([point["grad_norm"] > limit for point in told["loss"]])


@pytest.mark.parametrize("step", [3, 21])
def test_an_interrupted_run_repeats_the_uninterrupted_one(run: Run, tiny_data: Dataset, step: int) -> None:
    """Also past the first pass (21 steps of 8 are more than the store's texts), with mixup, and a restarted cycle."""
    given: dict[str, Any] = {"steps": 22, "dev": [Dev(tiny_data, "dev")], "mixup": 0.5, "patience": 9}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", progress=stop_at(step), **given)
    assert manifest.read(whole.parent / "broken") is None
    resumed = run("broken", **given)
    assert (resumed / "training_log.json").read_bytes() == (whole / "training_log.json").read_bytes()
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from rankdistill.training.alignment import config
from rankdistill.training.alignment.run import align

def kill(steps):
    done.append(steps)
    if sum(done) == 7:
        os.kill(os.getpid(), signal.SIGKILL)

done = []
embeddings, student, out, settings = pickle.loads(Path(sys.argv[1]).read_bytes())
align(embeddings, student, out, config.read(None, **settings), keep_layers=[0, 2], progress=kill)
"""


def test_a_killed_run_repeats_the_uninterrupted_one(
    run: Run, tiny_embeddings: MemoryEmbeddings, tiny_encoder: str, tmp_path: Path
) -> None:
    whole = run("whole", steps=12)
    given = (tiny_embeddings, tiny_encoder, tmp_path / "killed", SMALL | {"steps": 12})
    (tmp_path / "given").write_bytes(pickle.dumps(given))
    with Forked(KILLED, tmp_path / "given") as process:
        assert process.ended() == -signal.SIGKILL
    resumed = run("killed", steps=12)
    assert log(resumed) == log(whole)
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("step", [3, 9, 12])
def test_a_run_told_to_stop_is_finished_to_the_same_bytes(run: Run, tiny_data: Dataset, step: int) -> None:
    """Within a log window, past an evaluation, at the end: with random mixing, which goes on from the checkpoint."""
    given: dict[str, Any] = {"steps": 12, "eval_steps": 8, "log_steps": 4, "dev": [Dev(tiny_data, "dev")], "mixup": 0.5}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", progress=Steps(step, send(signal.SIGTERM)), **given)
    assert step in checkpoints_of(whole.parent / "broken")
    resumed = Steps()
    assert files_of(run("broken", progress=resumed, **given)) == files_of(whole)
    assert resumed.told == [step, *[1] * (12 - step)]


def test_another_teachers_store_does_not_resume(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=stop_at(6))
    other = replace(tiny_embeddings, teacher_id="other", array=-tiny_embeddings.array)
    with pytest.raises(StaleOutputError, match="unfinished run with other"):
        run(embeddings=other)
    run()
    with pytest.raises(StaleOutputError, match="teacher"):
        run(embeddings=other)


def test_a_finished_run_is_not_run_again(run: Run) -> None:
    run()
    run(progress=lambda steps: pytest.fail("trained again"))


def test_the_best_checkpoint_by_asymmetric_ndcg_is_kept(run: Run, tiny_data: Dataset) -> None:
    out = run(steps=16, dev=[Dev(tiny_data, "dev")], keep_checkpoints=True)
    points = {point["step"]: point for point in log(out)["monitor"]}
    assert sorted(points) == [0, 4, 8, 12, 16]
    best = max((point["asymmetric_ndcg_at_10"], -step) for step, point in points.items() if step)
    assert log(out)["best_step"] == -best[1]
    for name in ("standard", "asymmetric", "teacher"):
        assert 0 <= points[4][f"tiny/dev/{name}_ndcg_at_10"] <= 1
    kept = out / "checkpoints" / f"checkpoint-{log(out)['best_step']}" / "model.safetensors"
    assert (out / "model.safetensors").read_bytes() == kept.read_bytes()


def test_the_last_checkpoint_is_kept_where_it_is_asked_for(run: Run, tiny_data: Dataset) -> None:
    dev = [Dev(tiny_data, "dev")]
    options = {"steps": 16, "learning_rate": 0.5}  # so high that an early step is the best one
    best, last = run("best", dev=dev, **options), run("last", dev=dev, select="last", **options)
    assert log(best)["best_step"] < 16
    assert log(last)["best_step"] == 16
    assert log(last)["monitor"] == log(best)["monitor"]
    assert (last / "model.safetensors").read_bytes() != (best / "model.safetensors").read_bytes()


def test_stopping_early_needs_the_best_checkpoint() -> None:
    with pytest.raises(ConfigError, match="patience"):
        settings.read(None, select="last", patience=2)


def test_training_stops_when_the_asymmetric_score_stays(run: Run, tiny_data: Dataset) -> None:
    out = run(steps=40, dev=[Dev(tiny_data, "dev")], patience=2, learning_rate=1e-9)
    assert log(out)["steps"] == 12


def test_patience_without_a_dev_split_is_refused(run: Run) -> None:
    """Texts that are held out are measured too, but which measure of theirs should end the run?"""
    with pytest.raises(ConfigError, match=r"beside patience[\s\S]*patience 3, and none"):
        run(steps=40, held_out=8, patience=3)


def test_dev_queries_and_empty_texts_are_dropped_and_counted(
    run: Run, tiny_data: Dataset, tiny_embeddings: MemoryEmbeddings
) -> None:
    queries = list(tiny_data.queries("dev").values())
    leaked = [
        ("query", "train", queries[0].upper()),
        ("document", "corpus", f" {queries[1]} "),
        ("query", "train", " "),
    ]
    out = run(embeddings=tiny_embeddings.with_rows(leaked), dev=[Dev(tiny_data, "dev")])
    report = log(out)["texts"]
    assert (report["dropped_dev_queries"], report["dropped_empty_texts"], report["held_out_texts"]) == (2, 1, 12)
    assert report["texts"] == len(tiny_embeddings.rows) - 12


def test_over_long_texts_are_counted(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    long = tiny_embeddings.with_rows([("document", "corpus", "river " * 100)] * 3)
    cut = log(run(embeddings=long, held_out=0))["truncation"]
    assert (cut["over_long"], cut["limits"]) == (3, {"query": 64, "document": 64})
    shorter = log(run("shorter", embeddings=long, held_out=0, max_document_length=8))["truncation"]
    assert shorter["over_long"] > 3
    assert shorter["limits"]["document"] == 8


def test_the_student_keeps_the_length_that_it_was_trained_with(run: Run) -> None:
    out = run(max_document_length=12, max_query_length=8)
    student = SentenceTransformer(str(out), device="cpu")
    assert student.max_seq_length == 12
    assert json.loads((out / "sentence_bert_config.json").read_text())["max_seq_length"] == 12
    assert Tokenizer.from_file(str(out / "tokenizer.json")).truncation["max_length"] == 12
    assert log(out)["truncation"]["limits"] == {"query": 8, "document": 12}
    np.testing.assert_allclose(
        TextEncoder(str(out)).encode(["river " * 50]), student.encode(["river " * 50]), atol=1e-5
    )
    with pytest.raises(ConfigError, match="one tower has one length"):
        run("other", max_document_length=12, max_query_length=13)


def test_a_length_makes_another_student_but_of_a_table_which_has_none(static_student: str, tiny_encoder: str) -> None:
    config = settings.read(None, max_document_length=12)
    assert [is_static(start) for start in (prepare.STATIC, static_student, tiny_encoder)] == [True, True, False]
    assert "lengths" in config.decisive()
    plain = RunSettings.decisive(config) | {"preparation": config.preparation.decisive()}
    assert config.decisive(cuts=False) == plain
    unnamed = settings.read(None)
    assert unnamed.decisive() == RunSettings.decisive(unnamed) | {"preparation": unnamed.preparation.decisive()}


def test_a_static_student_is_trained_too(run: Run, tiny_embeddings: MemoryEmbeddings, tiny_data: Dataset) -> None:
    out = run(student="static", dev=[Dev(tiny_data, "dev")], learning_rate=None)
    curve = log(out)["loss"]
    assert curve[0]["learning_rate"] == pytest.approx(1e-3 * 0.7)
    student = SentenceTransformer(str(out), device="cpu")
    assert student.encode("river").shape == (tiny_embeddings.dimension,)
    assert log(out)["truncation"]["over_long"] == 0
    further = run("further", student=str(out), preparation={"projection": "never"}, learning_rate=None, steps=2)
    assert log(further)["loss"][0]["learning_rate"] == pytest.approx(1e-3)


def test_every_objective_trains(run: Run) -> None:
    given = {"extra": {"cosine": 0.5, "affinity": 0.1, "mi_alpha": 0.1}, "mixup": 0.3, "matryoshka": [8, 16]}
    out = run(steps=4, **given)
    assert all(np.isfinite(point["loss"]) for point in log(out)["loss"])
    assert trained_dimensions.of(out, 32) == (32, 16, 8)


def test_bf16_autocast_trains(run: Run) -> None:
    assert log(run(precision="bf16"))["precision"] == "bf16"


def test_a_loss_that_becomes_nan_stops_the_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def diverge(model: torch.nn.Module, features: Any) -> torch.Tensor:
        calls.append(1)
        vectors = embed(model, features)
        return vectors * float("nan") if len(calls) > 6 else vectors

    embed = objective.embed_sorted
    monkeypatch.setattr(objective, "embed_sorted", diverge)
    with pytest.raises(LossInputError, match="finite student embeddings"):
        run()
    assert manifest.read(tmp_path / "student") is None


def test_a_student_that_cannot_reach_the_teachers_vectors_is_refused(
    run: Run, tiny_embeddings: MemoryEmbeddings, tiny_bert: Path
) -> None:
    never = {"projection": "never"}
    wider = replace(
        tiny_embeddings,
        array=np.pad(tiny_embeddings.array, ((0, 0), (0, 8))),
        space=replace(tiny_embeddings.space, dimension=40),
    )
    with pytest.raises(ConfigError, match="40 numbers"):
        run(embeddings=wider, preparation=never)
    with pytest.raises(ConfigError, match="not normalised"):
        run(student=str(tiny_bert), preparation=never)


def test_an_empty_store_is_refused(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    with pytest.raises(StoreError, match="texts to train on"):
        run(embeddings=replace(tiny_embeddings, rows=[], array=tiny_embeddings.array[:0]))


def test_a_test_split_chooses_no_checkpoint_unless_allowed(run: Run, tiny_data: Dataset) -> None:
    with pytest.raises(ConfigError, match="--allow-test"):
        run(dev=[Dev(tiny_data, "test")])
    assert log(run(dev=[Dev(tiny_data, "test")], allow_test=True))["monitor"][0]["tiny/test/teacher_ndcg_at_10"] >= 0
    with pytest.raises(ConfigError, match="twice"):
        run(dev=[Dev(tiny_data, "dev")] * 2)


def test_the_steps_are_planned_and_counted(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    planned: list[int] = []
    steps: list[int] = []
    out = run(steps=None, epochs=0.5, held_out=0, planned=planned.append, progress=steps.append)
    assert planned == [round(2 * 0.5 * len(tiny_embeddings.rows) / 8)]
    assert sum(steps) == planned[0] == log(out)["steps"]


@pytest.mark.parametrize("start", [prepare.STATIC, "a table"])
def test_a_limit_of_queries_that_a_table_would_not_heed_is_refused(
    run: Run, start: str, static_student: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="max_query_length"):
        run(student=static_student if start == "a table" else start, max_query_length=8)
    assert not (tmp_path / "student").exists()


def test_a_length_beyond_the_students_positions_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"max_document_length of at most 64[\s\S]*got: 65"):
        run("longer", max_document_length=65)
    with pytest.raises(ConfigError, match=r"max_length of at most 64[\s\S]*got: 65"):
        run("longer", preparation={"max_length": 65})
    assert not (tmp_path / "longer" / "manifest.json").exists()

"""Students that learn from scores and stay in their teacher's space, or leave it: what is trained, kept and refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import rankdistill
from rankdistill import space
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.inference import TextEncoder
from rankdistill.students.inherit import keep, layers_of
from rankdistill.training import columns, kept_space, objectives, types
from rankdistill.training.config import TrainConfig
from rankdistill.training.form import Form
from rankdistill.training.in_batch.collator import InBatchCollator
from rankdistill.training.in_batch.reference import refer
from rankdistill.training.rows import TrainingRows
from rankdistill.training.run import train
from rankdistill.training.sparsity import Sparsity
from tests.training.conftest import MemoryStore
from tests.training.test_interrupted_runs import Steps, files_of, send

SETTINGS: dict[str, Any] = {
    "batch_size": 4,
    "negatives": 2,
    "eval_steps": 4,
    "log_steps": 2,
    "steps": 4,
    "precision": "float32",
    "learning_rate": 1e-4,
}

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(
        name: str, student: str = tiny_encoder, progress: Callable[[int], object] | None = None, **given: Any
    ) -> Path:
        config = TrainConfig(**SETTINGS | {"in_batch_teacher": tiny_encoder} | given)
        return train(tiny_data, tiny_store, student, tmp_path / name, config, progress=progress)

    return start


@pytest.fixture
def aligned(tiny_encoder: str, tmp_path: Path) -> str:
    """A student in the space of the tiny encoder: that encoder itself, as alignment saves it."""
    model = SentenceTransformer(tiny_encoder, device="cpu")
    with torch.no_grad():
        next(model.parameters()).add_(0.001)
    model.save_pretrained(str(tmp_path / "aligned"))
    space.write(tmp_path / "aligned", TextEncoder(tiny_encoder, backend="torch").space)
    return str(tmp_path / "aligned")


def log(out: Path) -> dict[str, Any]:
    return json.loads((out / "training_log.json").read_text())


def test_the_term_is_the_squared_distance_to_the_teachers_vectors_of_the_batch(
    tiny_data: Dataset, tiny_encoder: str, tmp_path: Path
) -> None:
    queries, documents = list(tiny_data.queries("train").values())[:3], list(tiny_data.contents.values())[:6]
    scores = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    rows = TrainingRows(
        np.arange(3, dtype=np.int32), np.arange(6, dtype=np.int32).reshape(3, 2), scores, queries, documents
    )
    teacher = refer(tiny_encoder).open(tmp_path)
    teacher.know(queries, "query")
    teacher.know(documents, "document")
    kind, student = types.get("dense"), SentenceTransformer(tiny_encoder, device="cpu").eval()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.mul_(1.01)
    values = {}
    for weight in (0.0, 0.5, 2.0):
        config = TrainConfig(in_batch_teacher=tiny_encoder, in_batch_weight=0, alignment_weight=weight, batch_size=3)
        objective = objectives.build(kind, student, config, rows, Sparsity({}, {}), teacher)
        collate = InBatchCollator(
            kind.collator(student, rows.text_columns, config), teacher, teacher if weight > 0 else None
        )
        batch = collate([rows[index] for index in range(3)])
        found = objective(columns.split(batch, rows.text_columns), batch["label"])
        values[weight] = {"ranking": found.item()} if weight == 0 else {name: one.item() for name, one in found.items()}
    ours = np.concatenate([student.encode_query(queries), student.encode_document(documents)])
    original = SentenceTransformer(tiny_encoder, device="cpu")
    theirs = np.concatenate([original.encode_query(queries), original.encode_document(documents)])
    wanted = ((ours - theirs) ** 2).sum(axis=1).mean()
    assert wanted > 1e-6
    for weight in (0.5, 2.0):
        assert values[weight]["alignment"] == pytest.approx(weight * wanted, rel=1e-3)
        assert values[weight]["ranking"] == pytest.approx(values[0.0]["ranking"], rel=1e-5)


def test_a_student_that_stays_near_keeps_the_space_and_makes_a_bundle(
    run: Run, aligned: str, tiny_encoder: str, tmp_path: Path
) -> None:
    out = run("near", aligned, alignment_weight=10.0)
    told = log(out)
    assert told["space"]["kept"]
    assert told["space"]["cosine_after"] >= kept_space.LEAST_SHARE * told["space"]["cosine_before"]
    assert all("alignment" in point for point in told["loss"])
    assert space.read(out) == TextEncoder(tiny_encoder, backend="torch").space
    made = rankdistill.bundle(out, tiny_encoder, tmp_path / "bundle", onnx=False, router=False)
    assert made.space == TextEncoder(tiny_encoder, backend="torch").space


def test_a_student_trained_without_it_loses_the_space_and_a_bundle_is_refused(
    run: Run, aligned: str, tiny_encoder: str, tmp_path: Path
) -> None:
    out = run("free", aligned)
    assert "space" not in log(out)
    assert not (out / "space.json").exists()
    with pytest.raises(SpaceMismatchError, match=r"space\.json"):
        rankdistill.bundle(out, tiny_encoder, tmp_path / "bundle", onnx=False, router=False)


def test_a_student_that_has_left_is_told_of_and_keeps_no_space(run: Run, aligned: str, tmp_path: Path) -> None:
    out = run("left", aligned, alignment_weight=1e-6, learning_rate=0.3, steps=8)
    told = log(out)["space"]
    assert not told["kept"]
    assert told["cosine_after"] < kept_space.LEAST_SHARE * told["cosine_before"]
    assert "left the teacher's" in told["reason"]
    assert not (out / "space.json").exists()


@pytest.mark.slow
def test_a_student_that_never_was_in_the_space_does_not_get_into_it_by_the_term(
    run: Run, tiny_encoder: str, tmp_path: Path
) -> None:
    model = SentenceTransformer(tiny_encoder, device="cpu")
    with torch.no_grad():
        next(model.parameters()).add_(0.001)
    model.save_pretrained(str(tmp_path / "other"))
    out = run("never", str(tmp_path / "other"), alignment_weight=10.0)
    assert "was not aligned with this teacher" in log(out)["space"]["reason"]
    assert not (out / "space.json").exists()
    assert log(run("itself", tiny_encoder, alignment_weight=10.0))["space"]["kept"], "the teacher itself is in it"


def test_the_teacher_of_the_vectors_may_be_another_than_that_of_the_batch(
    run: Run, aligned: str, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    given = {"in_batch_teacher": tiny_splade, "alignment_teacher": tiny_encoder}
    out = run("two", aligned, alignment_weight=10.0, **given)
    told = log(out)
    assert told["space"]["kept"]
    assert told["alignment_teacher"] != told["in_batch_teacher"]
    assert {"alignment", "in_batch"} <= told["loss"][0].keys()
    made = rankdistill.status(out).made
    assert made["inputs"]["alignment_teacher"] != made["inputs"]["in_batch_teacher"]
    alone = log(run("alone", aligned, alignment_weight=10.0, in_batch_teacher=None, alignment_teacher=tiny_encoder))
    assert alone["space"]["kept"]
    assert not {"in_batch_teacher", "in_batch_unit"} & alone.keys()


def test_a_student_of_another_type_has_no_vector_to_hold(run: Run, tiny_splade: str, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    splade = tmp_path / "splade"
    SparseEncoder(tiny_splade, device="cpu").save_pretrained(str(splade))
    with pytest.raises(ConfigError, match=r"a dense student for alignment_weight[\s\S]*the type splade"):
        run("splade_student", str(splade), alignment_weight=1.0)


@pytest.fixture
def deep(tiny_encoder: str, tmp_path: Path) -> str:
    """A teacher whose layers matter: without its second one its vectors point elsewhere."""
    model = SentenceTransformer(tiny_encoder, device="cpu")
    with torch.no_grad():
        for parameter in layers_of(model)[1].parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    model.save_pretrained(str(tmp_path / "deep"))
    return str(tmp_path / "deep")


def mean_cosine(student: SentenceTransformer, teacher: str, data: Dataset) -> float:
    texts = [*data.queries("train").values(), *data.contents.values()]
    ours, theirs = (one.encode(texts) for one in (student, SentenceTransformer(teacher, device="cpu")))
    return float(((ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)).mean())


@pytest.mark.parametrize("start", ["the teacher itself", "aligned with it"])
def test_a_student_that_is_cut_here_is_measured_against_what_it_was_whole(
    tiny_data: Dataset, tiny_store: MemoryStore, deep: str, tmp_path: Path, start: str
) -> None:
    """Measured after the cut, half of its nearness would count as all that there was to keep."""
    student = deep
    if start == "aligned with it":
        student = str(tmp_path / "aligned")
        model = SentenceTransformer(deep, device="cpu")
        model.save_pretrained(student)
        space.write(Path(student), TextEncoder(deep, backend="torch").space)
    cut = SentenceTransformer(deep, device="cpu")
    keep(cut, [0, 2])
    assert mean_cosine(cut, deep, tiny_data) < 0.9, "the cut takes it out of the space"
    config = TrainConfig(**SETTINGS | {"in_batch_teacher": deep, "alignment_weight": 1.0})
    out = train(tiny_data, tiny_store, student, tmp_path / "cut", config, keep_layers=[0, 2])
    told = log(out)["space"]
    assert told["cosine_before"] == pytest.approx(1, abs=1e-5)
    assert told["cosine_after"] < kept_space.LEAST_SHARE
    assert "of the model that training started from, whole" in told["reason"]
    assert not (out / "space.json").exists()
    with pytest.raises(SpaceMismatchError, match=r"space\.json"):
        rankdistill.bundle(out, deep, tmp_path / "bundle", onnx=False, router=False)


def test_a_student_whose_layers_are_chosen_for_its_size_is_measured_so_too(
    tiny_data: Dataset, tiny_store: MemoryStore, deep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.training import sizing

    chosen = Form(keep_layers=[0, 2])
    monkeypatch.setattr(sizing, "choose", lambda *given: (chosen, []))  # which is best of those that fit is chance
    config = TrainConfig(**SETTINGS | {"in_batch_teacher": deep, "alignment_weight": 1.0})
    out = train(tiny_data, tiny_store, deep, tmp_path / "small", config, max_mb=9.0, dev_split="dev")
    assert log(out)["space"]["cosine_before"] == pytest.approx(1, abs=1e-5)
    assert not (out / "space.json").exists()


def test_an_aligned_student_that_loses_words_it_does_not_need_stays_in_the_space(
    tiny_data: Dataset, tiny_store: MemoryStore, aligned: str, tiny_encoder: str, tmp_path: Path
) -> None:
    config = TrainConfig(**SETTINGS | {"in_batch_teacher": tiny_encoder, "alignment_weight": 10.0})
    rows = len(SentenceTransformer(aligned, device="cpu").tokenizer)
    out = train(tiny_data, tiny_store, aligned, tmp_path / "pruned", config, vocabulary=rows - 1)
    assert log(out)["space"]["kept"]
    assert (out / "space.json").is_file()


@pytest.mark.slow
def test_an_interrupted_run_with_the_term_ends_with_the_same_bytes(run: Run, aligned: str) -> None:
    whole = run("whole", aligned, alignment_weight=1.0)
    with pytest.raises(KeyboardInterrupt):
        run("broken", aligned, Steps(3, send(signal.SIGTERM)), alignment_weight=1.0)
    assert files_of(run("broken", aligned, alignment_weight=1.0)) == files_of(whole)


def test_a_student_of_another_teacher_is_refused(run: Run, aligned: str, tmp_path: Path) -> None:
    held = space.read(Path(aligned))
    assert held is not None
    space.write(Path(aligned), replace(held, document_tower="0" * 64))
    with pytest.raises(SpaceMismatchError, match=r"000000000000[\s\S]*out of the space of the other"):
        run("mixed", aligned, alignment_weight=1.0)
    assert not (tmp_path / "mixed" / "manifest.json").exists()


def test_a_teacher_without_vectors_of_the_students_length_is_refused(
    run: Run, tiny_splade: str, tiny_bert: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"dense teacher[\s\S]*without a single vector"):
        run("sparse", alignment_weight=1.0, in_batch_teacher=tiny_splade)
    wider = SentenceTransformer(tiny_encoder, device="cpu")
    from sentence_transformers.sentence_transformer.modules import Dense

    wider.append(Dense(32, 48))
    wider.save_pretrained(str(tmp_path / "wider"))
    with pytest.raises(ConfigError, match=r"length, 32[\s\S]*length 48"):
        run("wider_teacher", alignment_weight=1.0, in_batch_teacher=str(tmp_path / "wider"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alignment_weight": 1.0}, "name the alignment_teacher"),
        ({"alignment_teacher": "x"}, "give one"),
        ({"alignment_teacher": "x", "in_batch_teacher": "y"}, "give one"),
        ({"alignment_weight": -1.0, "in_batch_teacher": "x"}, "greater than or equal to 0"),
        ({"alignment_weight": 1.0, "in_batch_teacher": "x", "type": "splade"}, "no vector in a teacher's space"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainConfig(**given)


def test_the_weight_decides_the_student_only_where_there_is_one() -> None:
    assert "alignment_weight" not in TrainConfig().decisive()
    found = TrainConfig(alignment_teacher="x", alignment_weight=0.5).decisive()
    assert found["alignment_weight"] == 0.5
    assert "alignment_teacher" not in found, "where it lies decides nothing"

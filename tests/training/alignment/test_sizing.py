"""A student of at most so many bytes: never larger, the best on dev of the shapes that fit, resumed after a stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.inference import TextEncoder
from rankdistill.inference.storage import shipped_bytes
from rankdistill.students import prepare
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment import run as running
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.run import align
from rankdistill.training.student import Student
from tests.training.alignment.conftest import MemoryEmbeddings
from tests.training.test_run import log

SMALL: dict[str, Any] = {
    "batch_size": 8,
    "eval_steps": 10,
    "precision": "float32",
    "steps": 10,
    "cycles": 1,
    "held_out": 12,
}

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_embeddings: MemoryEmbeddings, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(max_mb: float, name: str = "student", student: str = tiny_encoder, **given: Any) -> Path:
        dev = given.pop("dev", ())
        shape = {"max_mb": max_mb, **given.pop("preparation", {})}
        config = settings.read(None, **SMALL | given | {"preparation": shape})
        return align(tiny_embeddings, student, tmp_path / name, config, dev=dev)

    return start


def test_the_student_is_no_larger_and_the_best_of_those_that_were_tried_on_dev(run: Run, tiny_data: Dataset) -> None:
    out = run(0.05, dev=[Dev(tiny_data, "dev")], preparation={"size_candidates": 2})
    assert shipped_bytes(out) <= 50_000
    told = log(out)
    tried = [row for row in told["sizes"] if "value" in row]
    (chosen,) = [row for row in told["sizes"] if row["chosen"]]
    assert len(tried) == 2 < len(told["sizes"])
    assert all(row["bytes"] <= 50_000 and row["steps"] == 1 for row in tried)
    assert {row["measure"] for row in tried} == {"asymmetric_ndcg_at_10"}
    assert chosen["value"] == max(row["value"] for row in tried)
    nearest = sorted((row["fitted_cosine"] for row in told["sizes"]), reverse=True)[:2]
    assert sorted((row["fitted_cosine"] for row in tried), reverse=True) == nearest
    loaded = SentenceTransformer(str(out), device="cpu")
    assert loaded.transformers_model.config.num_hidden_layers == chosen["layers"]
    assert loaded.transformers_model.config.hidden_size == chosen["width"]
    assert len(loaded.tokenizer) == chosen["vocabulary"]
    assert told["stored"]["bytes"] == shipped_bytes(out)
    assert told["stored"]["held_out/cosine_mean"] == pytest.approx(
        told["monitor"][-1]["held_out/cosine_mean"], abs=0.01
    )
    assert not (out / "checkpoints").exists()
    shown = str(Student(out))
    assert "shapes that fit" in shown
    assert "chosen" in shown
    assert manifest.expect(out, "student", "train").parameters["preparation"]["max_mb"] == 0.05


def test_what_is_said_of_the_shape_stays(run: Run) -> None:
    out = run(0.08, preparation={"keep_layers": [0, 2], "storage": "float16", "vocabulary": 90, "size_candidates": 1})
    for row in log(out)["sizes"]:
        assert (row["layers"], row["storage"], row["vocabulary"]) == (2, "float16", 90)
    assert {row["width"] for row in log(out)["sizes"]} == {32}


def test_a_size_that_nothing_fits_names_the_smallest_that_something_does(run: Run) -> None:
    with pytest.raises(ConfigError, match="room for the smallest shape") as raised:
        run(0.005)
    smallest = float(re.search(r"([\d.]+) MB", str(raised.value)).group(1))  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="room for the smallest shape"):
        run(smallest - 0.001)
    assert shipped_bytes(run(smallest, preparation={"size_candidates": 1})) <= smallest * 1e6


def test_a_static_student_has_the_rows_that_fit(run: Run, tiny_embeddings: MemoryEmbeddings) -> None:
    out = run(0.016, student="static", preparation={"size_candidates": 2})
    assert shipped_bytes(out) <= 16_000
    (chosen,) = [row for row in log(out)["sizes"] if row["chosen"]]
    encoder = TextEncoder(str(out), device="cpu")
    assert encoder.backend == "static"
    assert encoder.space.dimension == tiny_embeddings.dimension
    table = SentenceTransformer(str(out), device="cpu")[0].embedding.weight
    assert tuple(table.shape) == (chosen["vocabulary"], chosen["width"])


def test_an_interrupted_choice_goes_on_where_it_was(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = {"preparation": {"size_candidates": 2}}
    whole = run(0.05, "whole", **shape)
    tried: list[Any] = []
    made: list[Any] = []
    original, prepared = running._try, prepare.prepare

    def stopped(*words: Any) -> dict[str, Any]:
        if len(tried) == 1:
            raise KeyboardInterrupt
        tried.append(words)
        return original(*words)

    monkeypatch.setattr(running, "_try", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(0.05, "stopped", **shape)
    assert not (tmp_path / "stopped" / "manifest.json").exists()
    monkeypatch.setattr(running, "_try", original)

    def counted(*words: Any, **named: Any) -> SentenceTransformer:
        made.append(words)
        return prepared(*words, **named)

    monkeypatch.setattr(prepare, "prepare", counted)
    again = run(0.05, "stopped", **shape)
    assert len(made) == 2, "one shape that was not tried yet, and the student itself"
    for path in whole.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(whole)).read_bytes(), path.name


def test_several_processes_choose_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="one process"):
        run(0.07)


def test_a_table_that_there_is_has_fewer_rows(run: Run, static_student: str) -> None:
    out = run(0.012, student=static_student, preparation={"size_candidates": 1, "projection": "never"})
    assert shipped_bytes(out) <= 12_000
    table = SentenceTransformer(str(out), device="cpu")[0].embedding.weight
    assert len(table) < len(SentenceTransformer(static_student, device="cpu")[0].embedding.weight)


def test_what_another_run_tried_is_not_taken_for_this_one_s(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    original = prepare.prepare

    def prepared(*words: Any, **named: Any) -> SentenceTransformer:
        made.append(words[1].ridge)
        if len(made) == 3:
            raise KeyboardInterrupt
        return original(*words, **named)

    monkeypatch.setattr(prepare, "prepare", prepared)
    with pytest.raises(KeyboardInterrupt):
        run(0.05, preparation={"size_candidates": 1})
    made.append(0.0)
    run(0.05, preparation={"size_candidates": 1, "ridge": 0.5})
    assert made[4:] == [0.5] * 4, "each of three shapes, and the student"

"""Relations of layers inside student and teacher: what is compared, what it trains, and who cannot have them."""

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

from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.losses import layer_relations
from rankdistill.students import dense
from rankdistill.students.inherit import keep
from rankdistill.training import columns
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment import layers
from rankdistill.training.alignment.rows import AlignmentCollator
from rankdistill.training.alignment.run import align
from tests.training.alignment.conftest import MemoryEmbeddings
from tests.training.test_interrupted_runs import Steps, files_of, send

SMALL = {"batch_size": 8, "eval_steps": 4, "log_steps": 2, "precision": "float32", "learning_rate": 1e-3, "held_out": 8}

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_embeddings: MemoryEmbeddings, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in settings.AlignConfig.model_fields}
        student = options.pop("student", tiny_encoder)
        store = options.pop("embeddings", tiny_embeddings)
        config = settings.read(None, **{**SMALL, "steps": 6, **given})
        return align(store, student, tmp_path / name, config, **options)

    return start


def curve(out: Path) -> list[dict[str, float]]:
    return json.loads((out / "training_log.json").read_text())["loss"]


def test_the_pooled_states_are_those_of_the_library_one_text_at_a_time(
    tiny_embeddings: MemoryEmbeddings, tiny_encoder: str
) -> None:
    """Texts of both kinds and of several lengths, whose order in the batch is that of the columns."""
    config = settings.read(None, layers={0: 1, 1: 2}, layers_weight=0.5)
    student = dense.load(tiny_encoder)
    keep(student, [0, 2])
    relations = layers.build(config, student, tiny_embeddings)
    chosen = [0, 30, 3, 40, 9, 60]
    rows = [
        {
            "text": tiny_embeddings.rows[row][2],
            "kind": tiny_embeddings.rows[row][0],
            "label": tiny_embeddings.array[row],
        }
        for row in chosen
    ]
    batch = AlignmentCollator(student, config, relations.teacher)(rows)
    names = [name.removesuffix("input_ids") for name in batch if name.endswith("input_ids")]
    assert names == ["query_", "document_", "teacher_query_", "teacher_document_"]
    features = columns.split(batch, [name.removesuffix("_") for name in names])
    student.eval()
    vectors, found = relations(student, features)

    ordered = sorted(rows, key=lambda row: row["kind"] != "query")
    texts = [row["text"] for row in ordered]
    np.testing.assert_allclose(
        vectors.detach().numpy(), np.concatenate([student.encode([text]) for text in texts]), atol=1e-5
    )
    expected = torch.zeros(())
    for own, other in config.layers.items():
        expected = expected + layer_relations(states(student, texts, own), states(relations.teacher, texts, other))
    assert found.item() == pytest.approx(0.5 * expected.item(), rel=1e-4)


def states(model: SentenceTransformer, texts: list[str], layer: int) -> torch.Tensor:
    """Mean-pooled hidden states as transformers gives them."""
    found = []
    for text in texts:
        tokens = model.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            hidden = model.transformers_model(**tokens, output_hidden_states=True).hidden_states[layer + 1]
        found.append(hidden.mean(dim=1))
    return torch.cat(found)


def test_a_student_learns_the_relations_and_is_saved_without_the_teacher(run: Run, tiny_encoder: str) -> None:
    given = {"steps": 40, "keep_layers": [0, 2], "eval_steps": 40, "log_steps": 10}
    plain = run("plain", **given)
    out = run("related", layers={0: 1}, layers_weight=20.0, **given)
    points = curve(out)
    assert points[-1]["layers"] < 0.85 * points[0]["layers"]
    assert points[0]["loss"] == pytest.approx(points[0]["layers"] + points[0]["vectors"], rel=1e-4)
    assert "layers" not in curve(plain)[0]
    student, without = (SentenceTransformer(str(one), device="cpu") for one in (out, plain))
    assert {*student.state_dict()} == {*without.state_dict()}
    assert not np.allclose(student.encode("old river"), without.encode("old river"), atol=1e-4)


@pytest.mark.slow
def test_an_interrupted_run_with_layers_ends_with_the_same_bytes(run: Run) -> None:
    given = {"layers": {0: 0, 1: 2}, "keep_layers": [0, 2]}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", progress=Steps(3, send(signal.SIGTERM)), **given)
    assert files_of(run("broken", **given)) == files_of(whole)


def test_layers_that_there_are_not_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"layers of the student from 0 to 1[\s\S]*2 in the setting"):
        run(layers={2: 0}, keep_layers=[0, 2])
    with pytest.raises(ConfigError, match=r"layers of the teacher .* from 0 to 2[\s\S]*7 in the setting"):
        run(layers={0: 7})
    with pytest.raises(ConfigError, match=r"student with transformer layers[\s\S]*table"):
        run(student="static", layers={0: 0})
    assert not (tmp_path / "student" / "manifest.json").exists()


def test_a_teacher_without_layers_or_with_other_weights_is_refused(
    run: Run, tiny_embeddings: MemoryEmbeddings, static_student: str, tiny_bert: Path
) -> None:
    from rankdistill.inference import TextEncoder

    encoder = TextEncoder(static_student, backend="torch")
    texts = [text for _, _, text in tiny_embeddings.rows]
    table = replace(
        tiny_embeddings, reference=static_student, space=encoder.space, array=encoder.encode_documents(texts)
    )
    with pytest.raises(ConfigError, match=r"teacher .* with transformer layers[\s\S]*leave `layers` out"):
        run("of_a_table", embeddings=table, layers={0: 0})
    with pytest.raises(SpaceMismatchError, match="put the teacher back"):
        run("of_another", embeddings=replace(tiny_embeddings, reference=str(tiny_bert)), layers={0: 0})


def test_layers_decide_the_student_only_where_some_are_named() -> None:
    plain = settings.read(None).decisive()
    assert not plain.keys() & {"layers", "layers_weight"}
    assert settings.read(None, layers_weight=3.0).decisive() == plain
    named = settings.read(None, layers={0: 1}).decisive()
    assert (named["layers"], named["layers_weight"]) in (({"0": 1}, 1.0), ({0: 1}, 1.0))
    assert settings.AlignConfig.model_validate(json.loads(json.dumps(named))).layers == {0: 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": {-1: 0}},
        {"layers": {0: "last"}},
        {"layers": {0: 0}, "layers_weight": 0},
        {"layers": {0: 0}, "batch_size": 2},
    ],
)
def test_settings_that_name_no_relations_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="layers"):
        settings.read(None, **wrong)

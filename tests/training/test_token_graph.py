"""Token relations in a run: the term from the two models' own token vectors, resuming, what it does, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from rankdistill import manifest, models
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.losses import token_relations
from rankdistill.students import multi_vector
from rankdistill.training import columns, token_graph
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from rankdistill.training.token_scores import TokenScores
from tests.training.conftest import MemoryStore
from tests.training.test_multi_vector import ROWS, TEXTS
from tests.training.test_run import SMALL, log, stop_at

pytestmark = pytest.mark.usefixtures("torch_alone")

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", student: str = tiny_encoder, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings: dict[str, Any] = {**SMALL, "steps": 8, "type": "multi-vector", "token_dimension": 16}
        settings |= {"token_relations_weight": 0.5, "token_teacher": tiny_encoder}
        config = TrainConfig(**{**settings, **given})
        return train(tiny_data, tiny_store, student, tmp_path / name, config, **options)

    return start


def _term(student: Any, graph: token_graph.TokenGraph) -> torch.Tensor:
    student.eval()
    batch = columns.text_collator(student, TEXTS, TrainConfig(negatives=2))(ROWS)
    scorer = TokenScores(False, columns.pad_token(student), contrastive=False, graph=graph)
    relations = scorer(student, columns.split(batch, TEXTS)).relations
    assert relations is not None
    return relations


@pytest.mark.parametrize("late", [True, False], ids=["multi-vector", "encoder"])
def test_the_term_is_that_of_the_models_own_token_vectors(
    tiny_encoder: str, tiny_multi_vector: str, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each side in one group: from what the two libraries' models give for a text alone."""
    monkeypatch.setattr(token_graph, "TEXTS", 64)
    reference = tiny_multi_vector if late else tiny_encoder
    student = multi_vector.load(reference, dimension=16)
    with torch.no_grad():
        found = _term(student, token_graph.build(reference, 0.5, student))
        terms = []
        for role, texts in (
            ("query", [row["query"] for row in ROWS]),
            ("document", [row[name] for row in ROWS for name in TEXTS[1:]]),
        ):
            ours = getattr(student, f"encode_{role}")(texts)
            if late:
                theirs = getattr(MultiVectorEncoder(reference, device="cpu"), f"encode_{role}")(texts)
            else:
                plain = SentenceTransformer(reference, device="cpu")
                theirs = [plain.encode([text], output_value="token_embeddings")[0] for text in texts]
            numbers = torch.cat([torch.full((len(one),), place) for place, one in enumerate(ours)])
            assert [len(one) for one in ours] == [len(one) for one in theirs]
            terms.append(token_relations(torch.cat(list(ours)), torch.cat(list(theirs)), numbers))
    if late:
        assert float(found) == pytest.approx(0.0, abs=1e-6), "a student is its own teacher"
    else:
        assert float(found) > 1e-3
    torch.testing.assert_close(found, 0.5 * torch.stack(terms).mean(), rtol=1e-3, atol=1e-6)


def test_groups_of_texts_are_compared_and_batches_of_few_tokens_are_not(tiny_encoder: str) -> None:
    student = multi_vector.load(tiny_encoder, dimension=16)
    graph = token_graph.build(tiny_encoder, 1.0, student)
    vectors = torch.ones(2, 2, 16)
    features = {"input_ids": torch.ones(2, 2, dtype=torch.long), "attention_mask": torch.tensor([[1, 0], [1, 0]])}
    counted = torch.tensor([[True, False], [True, False]])
    side = token_graph.TokensOfSide(vectors, counted, features, "query")
    assert float(graph([side])) == 0, "two tokens have one other each"


def test_a_run_tells_the_term_and_what_its_teacher_was(run: Run, tiny_encoder: str) -> None:
    out = run()
    plain = run("plain", token_relations_weight=0.0, token_teacher=None)
    assert {"ranking", "token_relations"} <= log(out)["loss"][0].keys()
    assert "token_relations" not in log(plain)["loss"][0]
    assert (out / "model.safetensors").read_bytes() != (plain / "model.safetensors").read_bytes()
    assert manifest.read(out).inputs["token_teacher"] == models.resolve(tiny_encoder).weights_hash
    assert not {"token_relations_weight", "token_teacher"} & manifest.read(plain).parameters.keys()
    assert "token_teacher" not in manifest.read(out).parameters, "where it lies decides nothing"


def test_with_a_weight_that_counts_the_divergence_falls(run: Run) -> None:
    points = log(run(steps=24, token_relations_weight=200.0))["loss"]
    assert points[-1]["token_relations"] < 0.9 * points[0]["token_relations"]


def test_an_interrupted_run_goes_on_to_the_same_bytes(run: Run) -> None:
    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("parts", progress=stop_at(5))
    parts = run("parts")
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert log(parts) == log(whole)


def test_a_teacher_that_cuts_texts_otherwise_is_refused(run: Run, tiny_encoder: str, tmp_path: Path) -> None:

    other = tmp_path / "other"
    shutil.copytree(tiny_encoder, other)
    rules = json.loads((other / "tokenizer.json").read_text())
    rules["model"]["vocab"]["unheard"] = len(rules["model"]["vocab"])
    (other / "tokenizer.json").write_text(json.dumps(rules))
    with pytest.raises(ConfigError, match="whose vocabulary is another one"):
        run(token_teacher=str(other))
    shutil.copy(Path(tiny_encoder) / "tokenizer.json", other)
    rules = json.loads((other / "tokenizer_config.json").read_text())
    (other / "tokenizer_config.json").write_text(json.dumps(rules | {"do_lower_case": False}))
    with pytest.raises(ConfigError, match="has the same vocabulary and cuts texts otherwise"):
        run("again", token_teacher=str(other))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"token_relations_weight": 1.0}, "name the token_teacher"),
        ({"token_teacher": "one"}, "give one"),
        ({"token_relations_weight": 1.0, "token_teacher": "one", "type": "dense"}, "no token vector is used"),
    ],
)
def test_settings_that_do_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainConfig(**given)


def test_a_student_of_another_type_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="a multi-vector student for token_relations_weight"):
        run(type=None)

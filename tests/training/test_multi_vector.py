"""Multi-vector students: MaxSim while training, the projection, whole runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rankdistill.data import Dataset
from rankdistill.errors import ModelReferenceError
from rankdistill.students import multi_vector
from rankdistill.training import columns, objectives, types
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from rankdistill.training.sparsity import Sparsity
from rankdistill.training.token_scores import TokenScores, max_sim
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log, stop_at

TEXTS = ["query", "positive", "negative_1", "negative_2"]
ROWS = [
    {
        "query": f"what is the {topic}",
        "positive": f"the {topic} is deep",
        "negative_1": f"the old {topic} is slow and bright and small " * 4,
        "negative_2": "glass",
        "label": [1.0, 0.0, 0.0],
    }
    for topic in ("river", "planet", "bread", "violin")
]

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", student: str = tiny_encoder, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, "type": "multi-vector", "token_dimension": 16, **given}
        return train(tiny_data, tiny_store, student, tmp_path / name, TrainConfig(**settings), **options)

    return start


def _scored(student: Any, contrastive: bool) -> Any:
    student.eval()
    batch = columns.text_collator(student, TEXTS, TrainConfig(negatives=2))(ROWS)
    scorer = TokenScores(student.similarity_fn_name == "meanmaxsim", columns.pad_token(student), contrastive)
    return scorer(student, columns.split(batch, TEXTS))


@pytest.mark.parametrize("contrastive", [False, True])
@pytest.mark.parametrize("similarity", ["maxsim", "meanmaxsim"])
def test_scores_in_training_are_those_of_the_model_in_use(
    tiny_multi_vector: str, contrastive: bool, similarity: str
) -> None:
    student = multi_vector.load(tiny_multi_vector)
    student.similarity_fn_name = similarity
    with torch.no_grad():
        scored = _scored(student, contrastive)
    queries = student.encode_query([row["query"] for row in ROWS])
    documents = student.encode_document([row[name] for row in ROWS for name in TEXTS[1:]])
    table = student.similarity(queries, documents)
    own = torch.stack([table[row, 3 * row : 3 * row + 3] for row in range(4)])
    torch.testing.assert_close(scored.own, own, rtol=1e-4, atol=1e-4)
    if contrastive:
        torch.testing.assert_close(scored.candidates.scores, table, rtol=1e-4, atol=1e-4)
        assert scored.candidates.positives.tolist() == [0, 3, 6, 9]
        assert scored.candidates.excluded[0, 5] == scored.candidates.excluded[0, 2]


@pytest.mark.parametrize(("similarity", "scale"), [("maxsim", 1.0), ("meanmaxsim", 20.0)])
def test_contrastive_is_the_library_s_own_at_the_scale_of_the_similarity(
    tiny_multi_vector: str, similarity: str, scale: float
) -> None:
    """MaxSim sums over the query's tokens: only its mean is as narrow as a cosine."""
    from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
    from sentence_transformers.multi_vector_encoder.scoring import colbert_scores, mean_colbert_scores

    student = multi_vector.load(tiny_multi_vector).eval()
    student.similarity_fn_name = similarity
    kind = types.get("multi-vector")
    objective = objectives.build(kind, student, TrainConfig(loss="contrastive"), None, Sparsity({}, {}))
    features = columns.split(columns.text_collator(student, TEXTS, TrainConfig(negatives=2))(ROWS), TEXTS)
    compare = mean_colbert_scores if similarity == "meanmaxsim" else colbert_scores
    defaults = {} if similarity == "maxsim" else {"scale": scale}
    theirs = MultiVectorMultipleNegativesRankingLoss(student, similarity_fct=compare, **defaults)
    with torch.no_grad():
        found, expected = objective(features, torch.zeros(4, 3)), theirs(features)
    assert objective.contrastive_scale == scale
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_max_sim_is_the_sum_of_the_best() -> None:
    generator = torch.Generator().manual_seed(1)
    queries, documents = torch.randn(3, 4, 5, generator=generator), torch.randn(3, 6, 5, generator=generator)
    asked, scored = torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 6, dtype=torch.bool)
    asked[0, 2:], scored[1, 4:] = False, False
    found = max_sim(queries, asked, documents, scored, mean=False)
    for row in range(3):
        table = queries[row][asked[row]] @ documents[row][scored[row]].T
        assert found[row] == pytest.approx(float(table.max(dim=1).values.sum()), rel=1e-5)


def test_a_document_without_a_token_has_no_gradient() -> None:
    queries, documents = torch.ones(2, 2, 3, requires_grad=True), torch.ones(2, 2, 3, requires_grad=True)
    scored = torch.tensor([[True, True], [False, False]])
    found = max_sim(queries, torch.ones(2, 2, dtype=torch.bool), documents, scored, mean=True)
    found.sum().backward()
    assert found.tolist() == [3.0, 0.0]
    assert documents.grad is not None
    assert documents.grad[1].abs().sum() == 0


def test_a_new_projection_is_orthogonal_and_of_its_seed(tiny_encoder: str) -> None:
    one, again, other = (multi_vector.load(tiny_encoder, dimension=16, seed=seed) for seed in (1, 1, 2))
    weights = [student[1].linear.weight.detach() for student in (one, again, other)]
    torch.testing.assert_close(weights[0] @ weights[0].T, torch.eye(16), rtol=1e-5, atol=1e-5)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    (vectors,) = one.encode_document(["the river"], convert_to_numpy=True)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_the_student_loads_with_the_plain_library_and_has_changed(run: Run, tiny_encoder: str) -> None:
    from sentence_transformers import MultiVectorEncoder

    out = run(keep_layers=[0, 2], dev_split="dev")
    student = MultiVectorEncoder(str(out), device="cpu")
    assert student.transformers_model.config.num_hidden_layers == 2
    assert student.get_embedding_dimension() == 16
    before = multi_vector.load(tiny_encoder, dimension=16, seed=13)
    assert not torch.allclose(student[1].linear.weight, before[1].linear.weight)
    found = log(out)
    assert found["type"] == "multi-vector"
    assert {point["step"] for point in found["dev_ndcg_at_10"]} == {0, 4, 8}


@pytest.mark.parametrize("loss", ["margin_mse", "kl", "contrastive"])
def test_it_learns_by(run: Run, tiny_multi_vector: str, loss: str) -> None:
    out = run(student=tiny_multi_vector, loss=loss, steps=24, type=None)
    curve = [point["loss"] for point in log(out)["loss"]]
    assert np.isfinite(curve).all()
    assert np.mean(curve[-3:]) < np.mean(curve[:3])


def test_a_killed_run_goes_on_to_the_same_student(run: Run) -> None:
    whole = run("whole", steps=16)
    with pytest.raises(KeyboardInterrupt):
        run("killed", steps=16, progress=stop_at(10))
    killed = run("killed", steps=16)
    assert json.dumps(log(whole)) == json.dumps(log(killed))
    for path in whole.rglob("*.safetensors"):
        assert path.read_bytes() == (killed / path.relative_to(whole)).read_bytes()


def test_what_has_no_tokens_is_refused(run: Run, tiny_cross_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(ModelReferenceError, match="cross_encoder"):
        run(student=tiny_cross_encoder)

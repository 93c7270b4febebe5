"""Runs whose documents stay as another model embeds them: scores, what is trained, what is written, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer, SparseEncoder

import rankdistill as rd
from rankdistill import manifest, space
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.losses import contrastive, disco
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log, stop_at

pytestmark = pytest.mark.usefixtures("torch_alone")

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", *, model: str = "", store: MemoryStore = tiny_store, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        start_from = model or tiny_encoder
        settings = {**SMALL, "steps": 6, "negatives": 3, "loss": "disco", "document_tower": start_from, **given}
        return train(tiny_data, store, start_from, tmp_path / name, TrainConfig(**settings), **options)

    return start


def test_disco_has_the_papers_weights_where_none_are_given() -> None:
    config = TrainConfig(loss="disco")
    assert (config.kl_weight, config.contrastive_weight) == (0.99, 0.01)
    assert (config.negatives, config.sampling) == (16, "uniform")
    changed = TrainConfig(loss="disco", kl_weight=0.5, negatives=3)
    assert (changed.kl_weight, changed.contrastive_weight, changed.negatives) == (0.5, 0.01, 3)
    assert TrainConfig().contrastive_weight == 0


@pytest.mark.parametrize("kind", ["tiny_encoder", "tiny_splade"])
def test_the_loss_is_that_of_the_papers_formula_over_the_towers_vectors(
    run: Run, tiny_data: Dataset, tiny_store: MemoryStore, kind: str, request: pytest.FixtureRequest
) -> None:
    """The first step's loss, from rows, vectors and formulas that do not come out of the trainer."""
    from rankdistill.training import inputs, known_positives, rows, views

    model = request.getfixturevalue(kind)
    sparse = kind == "tiny_splade"
    type_ = "splade" if sparse else "dense"
    out = run(model=model, type=type_, scale=2.0, steps=1, batch_size=4, contrastive_scale=1.5, check="off")
    found = inputs.read(tiny_data, tiny_store, "train", None)
    known = known_positives.read(tiny_data, found.candidates, tiny_store.query_texts(), tiny_store.document_texts())
    view = views.build(found.scores, found.candidates, 3, known=known)
    drawn = rows.draw(view, tiny_store.query_texts(), tiny_store.document_texts(), 4, 3, "uniform", 13)
    batch = [drawn[place] for place in range(4)]
    queries = [row["query"] for row in batch]
    documents = [row[name] for row in batch for name in drawn.text_columns[1:]]
    encoder = (SparseEncoder if sparse else SentenceTransformer)(model, device="cpu")
    q, d = (
        encoder.encode_query(queries, convert_to_tensor=True),
        encoder.encode_document(documents, convert_to_tensor=True),
    )
    q, d = (one.to_dense() if one.is_sparse else one for one in (q, d))
    if encoder.similarity_fn_name == "cosine":
        q, d = (torch.nn.functional.normalize(one, dim=1) for one in (q, d))
    scores = q @ d.T
    own = torch.stack([scores[row, 4 * row : 4 * row + 4] for row in range(4)])
    labelled = torch.from_numpy(known.positives.mask(queries, documents))
    positives = torch.arange(4) * 4
    labelled |= torch.tensor([[text == documents[4 * row] for text in documents] for row in range(4)])
    labelled[torch.arange(4), positives] = False
    kl = disco(2.0 * own, torch.tensor([row["label"] for row in batch]))
    expected = kl + 0.01 * contrastive(1.5 * scores, positives, excluded=labelled)
    assert log(out)["loss"][0]["loss"] == pytest.approx(float(expected), rel=2e-4)


@pytest.mark.parametrize("kind", ["tiny_encoder", "tiny_splade"])
def test_the_student_searches_the_towers_index(
    run: Run, tiny_beir: Path, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model = request.getfixturevalue(kind)
    type_ = "dense" if kind == "tiny_encoder" else "splade"
    out = run(model=model, type=type_, dev_split="dev", eval_steps=3, log_steps=3, check="off")
    told = log(out)
    assert [point["step"] for point in told["dev_ndcg_at_10"]] == [0, 3, 6]
    assert ("query_terms" in told["dev_ndcg_at_10"][0]) == (type_ == "splade")
    index = rd.index(tiny_beir, model, tmp_path / "index")
    measured = rd.evaluate(tiny_beir, out, tmp_path / "evaluation", index=index, split="dev")
    assert 0 <= measured.system.measures["ndcg_at_10"] <= 1
    read = space.read if type_ == "dense" else space.read_sparse
    assert read(out) == index.space
    other = rd.index(tiny_beir, run("other", model=model, type=type_, check="off", document_tower=None), tmp_path / "i")
    with pytest.raises(SpaceMismatchError):
        rd.search(other, "a query", model=out)


def test_what_dev_says_before_training_is_what_the_tower_itself_has(
    run: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    out = run(dev_split="dev", eval_steps=6, log_steps=6, dev_queries=1000, dev_documents=100000, check="off")
    own = rd.evaluate(tiny_beir, tiny_encoder, tmp_path / "own", split="dev")
    assert log(out)["dev_ndcg_at_10"][0]["value"] == pytest.approx(own.system.measures["ndcg_at_10"], abs=1e-6)


def test_a_tower_is_an_input_wherever_it_lies(run: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    of_model, of_store = run("a", check="off"), run("b", document_tower=str(store.path), check="off")
    first, second = (manifest.expect(out, "student", "train") for out in (of_model, of_store))
    assert first.inputs["document_tower"] != second.inputs["document_tower"] == store.identity
    assert "document_tower" not in first.parameters
    curves = [[point["loss"] for point in log(out)["loss"]] for out in (of_model, of_store)]
    np.testing.assert_allclose(*curves, rtol=1e-3)


def test_an_interrupted_run_gives_the_same_student(run: Run) -> None:
    whole = run("whole", steps=6, eval_steps=2, log_steps=1, check="off")
    with pytest.raises(KeyboardInterrupt):
        run("stopped", steps=6, eval_steps=2, log_steps=1, check="off", progress=stop_at(3))
    again = run("stopped", steps=6, eval_steps=2, log_steps=1, check="off")
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "multi-vector"}, "document_tower: a student that is dense or splade"),
        ({"type": "splade", "document_regulariser_weight": 0.1}, "are not trained"),
        ({"alignment_weight": 1.0, "alignment_teacher": "x"}, "compared with its documents only"),
    ],
)
def test_settings_that_a_tower_leaves_nothing_to_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainConfig(document_tower="model", **given)


def test_a_tower_of_other_vectors_is_refused(run: Run, tiny_splade: str, tiny_multi_vector: str) -> None:
    with pytest.raises(ConfigError, match="start from the document_tower's own model"):
        run(document_tower=tiny_splade, check="off")
    with pytest.raises(ConfigError, match="gives one vector a text"):
        run(document_tower=tiny_multi_vector, check="off")
    with pytest.raises(ConfigError, match="dense or splade"):
        run(model=tiny_multi_vector, document_tower=tiny_splade, check="off")

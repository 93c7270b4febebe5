"""Dual supervision in the objective: the formula for every type, units, false negatives, own candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.special import log_softmax, rel_entr, softmax
from torch import Tensor

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.names import LOSSES, STUDENTS, has_in_batch_form
from rankdistill.training import columns, objectives, types
from rankdistill.training.batch import Start
from rankdistill.training.config import TrainConfig
from rankdistill.training.in_batch.collator import InBatchCollator
from rankdistill.training.in_batch.unit import in_batch_unit
from rankdistill.training.objectives import Objective
from rankdistill.training.rows import TrainingRows
from rankdistill.training.sparsity import Sparsity
from tests.training.test_known_positives import BATCH, STARTS

COLUMNS = ["query", "positive", "negative_1", "negative_2"]
DOCUMENTS = [text for _, *own in BATCH for text in own]
COMPARING = [name for name, kind in STUDENTS.items() if not kind.pairs]
ROWS, DOCS = len(BATCH), 3


class Table:
    """An in-batch teacher that knows a number for every pair of texts, and vectors of two dimensions."""

    teacher_id = "table"

    def __init__(self, factor: float = 0.01) -> None:
        self.factor = factor

    def know(self, texts: Sequence[str], kind: str) -> None:
        pass

    def let_go(self) -> None:
        pass

    def scores(self, queries: Sequence[str], documents: Sequence[str]) -> np.ndarray:
        return self.factor * np.float32([[len(set(q) & set(d)) - 0.3 * len(d) for d in documents] for q in queries])

    def topic_vectors(self, queries: Sequence[str]) -> np.ndarray:
        return self.vectors(queries, "query")

    def vectors(self, texts: Sequence[str], kind: str) -> np.ndarray:
        return np.float32([[len(text), kind == "query"] for text in texts])


def training_rows(scores: np.ndarray) -> TrainingRows:
    """The batch as the rows of a run."""
    queries = [row[0] for row in BATCH]
    documents = np.arange(ROWS * DOCS, dtype=np.int32).reshape(ROWS, DOCS)
    return TrainingRows(np.arange(ROWS, dtype=np.int32), documents, scores.astype(np.float32), queries, DOCUMENTS)


Build = Callable[..., tuple[Objective, list[dict[str, Any]], Tensor]]


@pytest.fixture
def build(tiny_data: Dataset, request: pytest.FixtureRequest) -> Build:
    def start(type_: str = "dense", teacher: Table | None = None, **given: Any) -> Any:
        teacher = teacher or Table()
        config = TrainConfig(**{"type": type_, "in_batch_teacher": "one", "scale": 2.0, "token_dimension": 16} | given)
        kind = types.get(type_)
        reference = str(request.getfixturevalue(STARTS[type_]))
        model = kind.load(Start(reference, config, lambda: iter(tiny_data.contents.values()))).eval()
        rows = training_rows(np.random.default_rng(1).normal(size=(ROWS, DOCS)) * 4)
        known = teacher if config.in_batch_teacher else None
        objective = objectives.build(kind, model, config, rows, Sparsity({}, {}), known)
        collate = InBatchCollator(kind.collator(model, COLUMNS, config), teacher)
        batch = collate([rows[at] for at in range(ROWS)])
        return objective, columns.split(batch, COLUMNS), batch["label"]

    return start


def scored(objective: Objective, features: list[dict[str, Any]]) -> np.ndarray:
    first, *others = features
    plain = {name: value for name, value in first.items() if name != "in_batch_scores"}
    with torch.no_grad():
        return objective.scorer(objective.model, [plain, *others]).in_batch.double().numpy()


def teacher_scores() -> np.ndarray:
    return Table().scores([row[0] for row in BATCH], DOCUMENTS).astype(np.float64)


def margin_term(s: np.ndarray, t: np.ndarray) -> float:
    errors = [
        [((s[b, b * DOCS] - s[b, c]) - (t[b, b * DOCS] - t[b, c])) ** 2 for c in range(ROWS * DOCS) if c // DOCS != b]
        for b in range(ROWS)
    ]
    found = np.array(errors)
    places = np.array([[c % DOCS for c in range(ROWS * DOCS) if c // DOCS != b] for b in range(ROWS)])
    return 0.5 * found[places == 0].mean() + 0.5 * found[places > 0].mean()


def all_margins(s: np.ndarray, t: np.ndarray) -> float:
    error = s - t
    between = (error[:, :, None] - error[:, None, :]) ** 2
    first, second = np.triu_indices(error.shape[1], 1)
    return float(between[:, first, second].mean())


def kl_term(s: np.ndarray, t: np.ndarray) -> float:
    return float(rel_entr(softmax(t, axis=1), softmax(s, axis=1)).sum(axis=1).mean())


@pytest.mark.parametrize("loss", [name for name, one in LOSSES.items() if not one.labels and has_in_batch_form(name)])
@pytest.mark.parametrize("type_", COMPARING)
def test_the_loss_is_that_of_the_pairs_and_the_weighted_one_over_the_batch(type_: str, loss: str, build: Build) -> None:
    objective, features, labels = build(type_, loss=loss, in_batch_weight=0.5)
    with torch.no_grad():
        found = objective(features, labels)
    s, t = 2.0 * scored(objective, features), objective.in_batch.unit * teacher_scores()
    term = {
        "margin_mse": margin_term(s, t),
        "margin_mse_all": all_margins(s, t),
        "kl_div": kl_term(s, t),
        "splade_v3": kl_term(s, t) + 0.05 * margin_term(s, t),
    }[loss]
    assert float(found["in_batch"]) == pytest.approx(0.5 * term / objective.unit**2, rel=1e-4)
    alone, features, labels = build(type_, loss=loss, in_batch_teacher=None)
    with torch.no_grad():
        torch.testing.assert_close(found["ranking"], alone(features, labels))


def test_the_unit_is_the_ratio_of_the_margins_deviations_of_the_same_pairs() -> None:
    rows = training_rows(np.random.default_rng(3).normal(size=(ROWS, DOCS)) * 7)
    t = teacher_scores().reshape(ROWS, ROWS, DOCS)
    own = np.stack([t[at, at] for at in range(ROWS)])
    wanted = (rows.scores[:, :1] - rows.scores[:, 1:]).std() / (own[:, :1] - own[:, 1:]).std()
    assert in_batch_unit(Table(), rows) == pytest.approx(wanted, rel=1e-5)
    same = training_rows(own)
    assert in_batch_unit(Table(), same) == pytest.approx(1, rel=1e-5)
    assert in_batch_unit(Table(factor=5.0), same) == pytest.approx(0.01 / 5, rel=1e-5)


def test_margins_that_are_all_equal_give_no_unit() -> None:
    with pytest.raises(ConfigError, match="cannot be brought"):
        in_batch_unit(Table(), training_rows(np.ones((ROWS, DOCS))))
    with pytest.raises(ConfigError, match="cannot be brought"):
        in_batch_unit(Table(factor=0.0), training_rows(np.random.default_rng(3).normal(size=(ROWS, DOCS))))


def test_the_teachers_factor_does_not_matter(build: Build) -> None:
    found = []
    for factor in (0.01, 30.0):
        objective, features, labels = build(teacher=Table(factor))
        found.append(objective(features, labels)["in_batch"].item())
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_a_weight_of_0_and_contrastive_training_have_no_term_over_the_batch(build: Build) -> None:
    for given in ({"in_batch_weight": 0.0}, {"loss": "contrastive"}):
        objective, features, labels = build(**given)
        assert objective.in_batch is None
        without, plain, _ = build(**{**given, "in_batch_teacher": None})
        torch.testing.assert_close(objective(features, labels), without(plain, labels))


def info_nce(logits: np.ndarray, positives: list[int], counted: np.ndarray) -> float:
    masked = np.where(counted, logits, -np.inf)
    return float(-log_softmax(masked, axis=1)[np.arange(len(logits)), positives].mean())


@pytest.mark.parametrize("type_", ["dense", "multi-vector"])
@pytest.mark.parametrize("least", [0.0, 0.012])
def test_documents_near_the_positive_by_the_teacher_are_no_negatives(type_: str, least: float, build: Build) -> None:
    objective, features, labels = build(type_, loss="contrastive", in_batch_min_margin=least)
    with torch.no_grad():
        found = float(objective(features, labels))
    s, t = objective.contrastive_scale * scored(objective, features), teacher_scores()
    positives = [row * DOCS for row in range(ROWS)]
    own = t[np.arange(ROWS), positives][:, None]
    counted = own - t.astype(np.float32) >= least
    counted &= ~(np.array(DOCUMENTS)[None, :] == np.array([row[1] for row in BATCH])[:, None])
    same_query = [[BATCH[at][0] == BATCH[other][0] for other in range(ROWS)] for at in range(ROWS)]
    for row in range(ROWS):
        for other in range(ROWS):
            if same_query[row][other]:
                counted[row] &= np.array(DOCUMENTS) != BATCH[other][1]
        counted[row, positives[row]] = True
    assert counted.sum() < ROWS * ROWS * DOCS
    assert found == pytest.approx(info_nce(s, positives, counted), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("type_", STUDENTS)
def test_own_candidates_are_the_querys_own_documents_alone(type_: str, build: Build) -> None:
    own, features, labels = build(
        type_, loss="contrastive", in_batch_teacher=None, contrastive_candidates="own", contrastive_scale=3.0
    )
    for name in list(features[0]):
        if name == "in_batch_scores":
            del features[0][name]
    with torch.no_grad():
        found = float(own(features, labels))
        s = 3.0 * own.scorer(own.model, features).own.double().numpy()
    counted = np.ones((ROWS, DOCS), dtype=bool)
    if not STUDENTS[type_].pairs:
        counted[1, 2] = False  # "deep river": the positive of another row with the same query
    assert found == pytest.approx(info_nce(s, [0] * ROWS, counted), rel=1e-4, abs=1e-5)


def test_the_collator_gives_scores_and_where_asked_for_vectors(build: Build) -> None:
    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"query_input_ids": torch.zeros(len(rows), 1), "label": torch.zeros(len(rows), DOCS)}

    rows = training_rows(np.ones((ROWS, DOCS)))
    batch = [rows[at] for at in range(ROWS)]
    scores = InBatchCollator(collate, Table())(batch)
    np.testing.assert_array_equal(scores["query_in_batch_scores"], teacher_scores().astype(np.float32))
    assert scores.keys() == {"query_input_ids", "label", "query_in_batch_scores"}
    both = InBatchCollator(collate, Table(), vectors=Table())(batch)
    np.testing.assert_array_equal(both["query_teacher_queries"][:, 0], [len(row[0]) for row in BATCH])
    np.testing.assert_array_equal(both["query_teacher_documents"][:, 0], [len(text) for text in DOCUMENTS])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"topics": 4}, "topics: it goes by"),
        ({"in_batch_min_margin": 0.1}, "in_batch_min_margin: it goes by"),
        ({"in_batch_teacher": "a", "type": "cross-encoder"}, "leave it out"),
        ({"in_batch_teacher": "a", "batch_size": 1}, "batch_size of 1"),
        ({"in_batch_teacher": "a", "in_batch_weight": -1}, "in_batch_weight"),
        ({"contrastive_candidates": "some"}, "contrastive_candidates"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        TrainConfig(**given)
    TrainConfig(in_batch_teacher="a", batch_size=1, loss="kl_div")
    TrainConfig(in_batch_teacher="a", batch_size=1, in_batch_weight=0)


def test_a_student_from_before_these_settings_is_the_same_and_others_are_not() -> None:
    plain = TrainConfig().decisive()
    assert not {name for name in plain if name.startswith("in_batch")}
    assert not {"topics", "gradient_cache", "contrastive_candidates"} & plain.keys()
    assert TrainConfig(in_batch_weight=0.5).decisive() == plain
    assert TrainConfig(in_batch_teacher="here", in_batch_weight=0).decisive() == plain
    assert (
        TrainConfig(in_batch_teacher="here", loss="contrastive").decisive()
        == TrainConfig(loss="contrastive").decisive()
    )
    alone, beside = TrainConfig(loss="contrastive"), TrainConfig(loss="contrastive", contrastive_weight=5.0)
    assert alone.decisive() == beside.decisive(), "nothing stands beside a contrastive loss"
    of_contrast = {"in_batch_min_margin": 0.1, "contrastive_candidates": "own"}
    asked = TrainConfig(in_batch_teacher="here", topics=3, contrastive_weight=0.5, **of_contrast)
    added = {"in_batch_weight": 0.75, "topics": 3, **of_contrast}
    assert asked.decisive() == TrainConfig(contrastive_weight=0.5).decisive() | added
    without = TrainConfig(in_batch_teacher="here", topics=3, **of_contrast)
    assert without.decisive() == TrainConfig(in_batch_teacher="here", topics=3).decisive(), "nothing is contrasted"
    assert asked.model_copy(update={"in_batch_teacher": "there"}).decisive() == asked.decisive()


def test_a_path_is_a_reference(tmp_path: Any) -> None:
    assert TrainConfig(in_batch_teacher=tmp_path).in_batch_teacher == str(tmp_path)

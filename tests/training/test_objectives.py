"""Where loss, model and batch meet."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    DistillKLDivLoss,
    MarginMSELoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor

from rankdistill import names
from rankdistill.errors import ConfigError
from rankdistill.losses import LOSSES, margin_mse, splade_v3
from rankdistill.students import dense
from rankdistill.training import objectives, rows, views
from rankdistill.training.config import LossName, TrainConfig
from rankdistill.training.embedding import embed, embed_sorted, stack_columns
from rankdistill.training.objectives import Objective
from rankdistill.training.scale import margin_unit
from rankdistill.training.sparsity import Sparsity
from rankdistill.training.types.dense import TYPE
from rankdistill.training.vector_scores import in_batch_targets, own_documents
from tests.training.conftest import MemoryStore

TEXTS = {
    "query": ["what is the river", "old planet", "bread"],
    "positive": ["the river is deep and old and slow and north", "planet", "sweet bread"],
    "negative_1": ["violin", "the harbour is round", "iron engine of the north stone"],
    "negative_2": ["glass", "stone engine", "slow deep small bright river"],
}
TEACHER = torch.tensor([[5.0, 1.0, -2.0], [3.0, 3.5, -8.0], [0.5, -1.0, -1.5]])


@pytest.fixture
def student(tiny_encoder: str) -> SentenceTransformer:
    return dense.load(tiny_encoder).eval()


@pytest.fixture
def drawn(tiny_store: MemoryStore) -> rows.TrainingRows:
    view = views.build(tiny_store.scores(), tiny_store.candidates(), 2)
    return rows.draw(view, tiny_store.query_texts(), tiny_store.document_texts(), 64, 2, "uniform", 1)


def features(student: SentenceTransformer, texts: dict[str, list[str]] = TEXTS) -> list[dict[str, Any]]:
    return [student.preprocess(column) for column in texts.values()]


def build(student: SentenceTransformer, drawn: rows.TrainingRows, **settings: Any) -> Objective:
    return objectives.build(TYPE, student, TrainConfig(**settings), drawn, Sparsity({}, {}))


def test_every_loss_is_a_setting() -> None:
    assert names.LOSSES.keys() == LOSSES.keys() == set(get_args(get_args(LossName)[0]))


def test_a_loss_gets_the_settings_that_its_parameters_are_called_as() -> None:
    given = {"student_temperature": 3.0, "teacher_temperature": 2.0, "kl_weight": 0.5, "margin_weight": 0.25}

    def taken(loss: str) -> dict[str, Any]:
        found = objectives.distillation_of(TrainConfig(loss=loss, **given))
        return {} if found is None else found.keywords

    assert taken("splade_v3") == given
    assert taken("kl_div") == {name: given[name] for name in ("student_temperature", "teacher_temperature")}
    assert taken("margin_mse") == {"pairs": "positive"}
    assert taken("margin_mse_all") == {"pairs": "all"}
    assert objectives.distillation_of(TrainConfig(loss="contrastive")) is None


@pytest.mark.parametrize("name", LOSSES)
def test_every_objective_gives_a_finite_loss_with_gradients_for_the_student(
    name: str, student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    loss = build(student, drawn, loss=name)(features(student), TEACHER)
    loss.backward()
    assert torch.isfinite(loss)
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in student.parameters())


def test_margin_mse_equals_sentence_transformers_for_a_dot_student(
    student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    student.similarity_fn_name = "dot"
    ours = build(student, drawn, loss="margin_mse", scale=1.0)(features(student), TEACHER)
    reference = MarginMSELoss(student)(features(student), TEACHER)
    torch.testing.assert_close(ours, reference / margin_unit(drawn) ** 2, rtol=1e-4, atol=1e-5)


def test_kl_div_equals_sentence_transformers_for_a_dot_student(
    student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    student.similarity_fn_name = "dot"
    ours = build(student, drawn, loss="kl_div", scale=1.0)(features(student), TEACHER)
    torch.testing.assert_close(ours, DistillKLDivLoss(student)(features(student), TEACHER), rtol=1e-4, atol=1e-5)


def test_contrastive_equals_sentence_transformers_where_no_text_repeats(
    student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    ours = build(student, drawn, loss="contrastive")(features(student), TEACHER)
    reference = MultipleNegativesRankingLoss(student, scale=20.0)(features(student), None)
    torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-5)


def test_contrastive_ignores_the_teacher(student: SentenceTransformer, drawn: rows.TrainingRows) -> None:
    objective = build(student, drawn, loss="contrastive")
    torch.testing.assert_close(objective(features(student), TEACHER), objective(features(student), -TEACHER))


def test_a_contrastive_term_adds_its_weight(student: SentenceTransformer, drawn: rows.TrainingRows) -> None:
    both, alone, term = (
        build(student, drawn, scale=10.0, **settings)(features(student), TEACHER)
        for settings in ({"contrastive_weight": 0.5}, {}, {"loss": "contrastive"})
    )
    torch.testing.assert_close(both, alone + 0.5 * term)


def test_labels_narrower_than_the_documents_are_refused(student: SentenceTransformer, drawn: rows.TrainingRows) -> None:
    with pytest.raises(ValueError, match="student's shape"):
        build(student, drawn)(features(student), TEACHER[:, :1])


def test_sorting_by_length_changes_no_embedding(student: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankdistill.training.embedding.CPU_GROUP", 2)
    columns = features(student)[1:]
    stacked = stack_columns(columns, student.tokenizer.pad_token_id)
    expected = torch.stack([embed(student, column) for column in columns], dim=1).flatten(0, 1)
    torch.testing.assert_close(embed_sorted(student, stacked), expected, rtol=1e-4, atol=1e-5)


def test_own_documents_picks_each_querys_block() -> None:
    in_batch = torch.arange(24.0).reshape(2, 12)
    torch.testing.assert_close(own_documents(in_batch), torch.stack([in_batch[0, :6], in_batch[1, 6:]]))


def numbers(*texts: str) -> Tensor:
    return torch.tensor([sorted(set(texts)).index(text) for text in texts])


def test_another_positive_of_the_same_query_is_no_in_batch_negative() -> None:
    positives, excluded = in_batch_targets(numbers("q", "q", "r"), numbers("a", "x", "b", "y", "c", "z"))
    assert positives.tolist() == [0, 2, 4]
    assert excluded.nonzero().tolist() == [[0, 2], [1, 0]]


def test_the_positive_once_more_in_the_batch_is_no_negative() -> None:
    _, excluded = in_batch_targets(numbers("q", "r"), numbers("a", "x", "b", "a"))
    assert excluded.nonzero().tolist() == [[0, 3]]


def test_a_cosine_student_learns_a_scale_that_starts_at_the_ratio_of_margin_deviations(
    student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    scale = build(student, drawn).scale
    texts = [drawn[index] for index in range(64)]
    vectors = {name: torch.from_numpy(student.encode([row[name] for row in texts])) for name in drawn.text_columns}
    own = [(vectors["query"] * vectors[name]).sum(dim=1) for name in drawn.text_columns[1:]]
    student_margins = torch.stack([own[0] - own[1], own[0] - own[2]], dim=1)
    teacher_margins = torch.from_numpy(drawn.scores[:, :1] - drawn.scores[:, 1:])
    assert scale.value == pytest.approx((teacher_margins.std() / student_margins.std()).item(), rel=1e-3)
    assert scale.log_ratio.requires_grad


@pytest.mark.parametrize("loss", ["kl_div", "splade_v3"])
def test_a_dot_student_without_normalisation_has_no_scale_beside_a_temperature(
    loss: str, tiny_bert: Any, drawn: rows.TrainingRows
) -> None:
    scale = build(dense.load(str(tiny_bert), similarity="dot"), drawn, loss=loss).scale
    assert scale.value == 1.0
    assert not scale.log_ratio.requires_grad


@pytest.mark.parametrize("factor", [1.0, 1e-3])
def test_a_dot_student_without_normalisation_keeps_its_spread_or_gets_one_of_1(
    factor: float, tiny_bert: Any, drawn: rows.TrainingRows
) -> None:
    student = dense.load(str(tiny_bert), similarity="dot")
    student[0].auto_model.encoder.layer[-1].output.LayerNorm.weight.data *= factor
    student[0].auto_model.encoder.layer[-1].output.LayerNorm.bias.data *= factor
    scale = build(student, drawn).scale
    texts = [drawn[index] for index in range(64)]
    vectors = {name: student.encode([row[name] for row in texts]) for name in drawn.text_columns}
    own = [(vectors["query"] * vectors[name]).sum(axis=1) for name in drawn.text_columns[1:]]
    deviation = np.concatenate([own[0] - own[1], own[0] - own[2]]).std(ddof=1)
    assert (deviation > 1) == (factor == 1.0)
    assert scale.value == pytest.approx(margin_unit(drawn) / max(1.0, deviation), rel=1e-3)
    assert not scale.log_ratio.requires_grad


def test_regularisers_keep_their_weight_beside_margins_in_the_teachers_unit(
    student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    def parts(loss: str) -> tuple[Tensor, Tensor]:
        objective = build(student, drawn, loss=loss, scale=10.0)
        objective.sparsity = lambda scored: {"query_sparsity": torch.tensor(0.5)}
        found = objective(features(student), TEACHER)
        return found["ranking"], found["query_sparsity"]

    scored = 10 * build(student, drawn, loss="contrastive").scorer(student, features(student)).own
    for loss, published in (("margin_mse", margin_mse(scored, TEACHER)), ("splade_v3", splade_v3(scored, TEACHER))):
        ranking, penalty = parts(loss)
        torch.testing.assert_close(ranking / penalty, published / 0.5)
    torch.testing.assert_close(parts("kl_div")[1], torch.tensor(0.5))


def test_a_given_scale_is_kept(student: SentenceTransformer, drawn: rows.TrainingRows) -> None:
    scale = build(student, drawn, scale=12.5).scale
    assert scale.value == 12.5
    assert not scale.log_ratio.requires_grad


def test_equal_teacher_scores_give_no_scale(student: SentenceTransformer, drawn: rows.TrainingRows) -> None:
    drawn.scores[:] = 1.0
    with pytest.raises(ConfigError, match="set the scale to a number"):
        build(student, drawn)


def test_a_tokeniser_that_pads_on_the_left_is_refused(student: SentenceTransformer, drawn: rows.TrainingRows) -> None:
    student.tokenizer.padding_side = "left"
    with pytest.raises(ConfigError, match="padding side 'left'"):
        build(student, drawn)


def test_splade_v3_without_margins_is_a_kl_divergence_in_every_way(
    student: SentenceTransformer, drawn: rows.TrainingRows
) -> None:
    mixed, alone = (
        build(student, drawn, scale=10.0, **settings)
        for settings in ({"loss": "splade_v3", "margin_weight": 0.0}, {"loss": "kl_div"})
    )
    assert mixed.unit == alone.unit == 1.0
    torch.testing.assert_close(mixed(features(student), TEACHER), alone(features(student), TEACHER))
    assert "margin_unit" not in TrainConfig(loss="splade_v3", margin_weight=0.0).decisive()

"""Regularisers of a run, how they set in, and what is counted of sparse vectors."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from rankdistill.errors import ConfigError
from rankdistill.losses import flops, idf_flops, l1
from rankdistill.names import LOSSES
from rankdistill.training import sparsity
from rankdistill.training.activity import Activity, ActivityLog
from rankdistill.training.batch import Penalty, Scored
from rankdistill.training.config import TrainConfig
from rankdistill.training.sparsity import RegulariserWarmUp, Sparsity

DEFAULTS = {"query": "l1", "document": "flops"}


def scored(queries: torch.Tensor | None, documents: torch.Tensor | None) -> Scored:
    return Scored(torch.zeros(1, 2), None, queries, documents)


def weights(seed: int, texts: int) -> torch.Tensor:
    return torch.rand(texts, 7, generator=torch.Generator().manual_seed(seed)).sub(0.5).relu()


@pytest.mark.parametrize(("schedule", "power"), [("quadratic", 2), ("linear", 1)])
def test_the_share_rises_to_one_and_stays(schedule: str, power: int) -> None:
    costs = Sparsity({}, {})
    warm_up = RegulariserWarmUp(costs, 0.5, schedule)
    shares = []
    for step in range(10):
        warm_up.on_step_begin(None, SimpleNamespace(global_step=step, max_steps=10), None)
        shares.append(costs.share)
    assert shares == pytest.approx([(step / 5) ** power for step in range(5)] + [1.0] * 5)


def test_without_warm_up_the_whole_weight_counts_at_once() -> None:
    costs = Sparsity({}, {}, share=0.0)
    RegulariserWarmUp(costs, 0.0, "quadratic").on_step_begin(None, SimpleNamespace(global_step=0, max_steps=10), None)
    assert costs.share == 1.0


def test_the_type_s_own_regularisers_hold_where_none_is_named() -> None:
    assert {side: one.name for side, one in sparsity.penalties(TrainConfig(), DEFAULTS).items()} == DEFAULTS
    changed = TrainConfig(query_regulariser="none", document_regulariser="idf_flops", document_regulariser_weight=2.0)
    assert sparsity.penalties(changed, DEFAULTS) == {"document": Penalty("idf_flops", 2.0)}
    assert sparsity.penalties(TrainConfig(query_regulariser_weight=3.0), DEFAULTS)["query"] == Penalty("l1", 3.0)
    assert "query" not in sparsity.penalties(TrainConfig(query_regulariser_weight=0.0), DEFAULTS)


def test_a_regulariser_without_a_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="document_regulariser_weight above 0"):
        sparsity.penalties(TrainConfig(document_regulariser="l1", document_regulariser_weight=0.0), DEFAULTS)


@pytest.mark.parametrize(
    ("settings", "query", "document"),
    [
        ({"loss": "margin_mse"}, 0.1, 0.08),
        ({"loss": "margin_mse_all"}, 0.1, 0.08),
        ({"loss": "kl_div"}, 0.005, 0.005),
        ({"loss": "contrastive"}, 0.0003, 0.0001),
        ({"loss": "contrastive", "contrastive_weight": 9.0}, 0.0003, 0.0001),
        ({"loss": "splade_v3"}, 0.005 + 0.05 * 0.1, 0.005 + 0.05 * 0.08),
        ({"loss": "splade_v3", "kl_weight": 0.5, "margin_weight": 2.0}, 0.0025 + 0.2, 0.0025 + 0.16),
        ({"loss": "kl_div", "contrastive_weight": 0.1}, 0.005 + 0.00003, 0.005 + 0.00001),
    ],
)
def test_a_weight_that_is_not_named_is_that_of_the_loss(settings: Any, query: float, document: float) -> None:
    config = TrainConfig(**settings)
    for name in ("flops", "l1", "l0_flops", "idf_flops"):
        factor = 16 if name == "idf_flops" else 1
        found = sparsity.penalties(config, {"query": name, "document": name})
        assert {side: one.weight for side, one in found.items()} == {
            "query": pytest.approx(factor * query), "document": pytest.approx(factor * document),
        }  # fmt: skip
    named = TrainConfig(**settings, query_regulariser_weight=3.0)
    assert sparsity.penalties(named, DEFAULTS)["query"].weight == 3.0
    assert sparsity.unnamed_weights(named, sparsity.penalties(named, DEFAULTS)).keys() == {"document"}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_a_weight_or_asks_for_one(loss: str) -> None:
    known = all(LOSSES[part].flops for part in LOSSES[loss].parts or (loss,))
    config = TrainConfig(loss=loss)
    if known:
        assert all(one.weight > 0 for one in sparsity.penalties(config, DEFAULTS).values())
        return
    with pytest.raises(ConfigError, match="query_regulariser_weight"):
        sparsity.penalties(config, DEFAULTS)


def test_a_loss_without_a_known_weight_takes_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparsity, "LOSSES", {**LOSSES, "kl_div": replace(LOSSES["kl_div"], flops=None)})
    with pytest.raises(ConfigError, match="query_regulariser_weight, which is known beside margin_mse") as caught:
        sparsity.penalties(TrainConfig(loss="kl_div"), DEFAULTS)
    assert caught.value.remedy == "set query_regulariser_weight, such as 0.01"
    named = TrainConfig(loss="kl_div", query_regulariser_weight=0.5, document_regulariser_weight=0.25)
    assert {side: one.weight for side, one in sparsity.penalties(named, DEFAULTS).items()} == {
        "query": 0.5, "document": 0.25,
    }  # fmt: skip


def test_penalties_are_the_regularisers_times_weight_and_share() -> None:
    idf = torch.arange(7.0)
    chosen = {"query": Penalty("l1", 0.5), "document": Penalty("idf_flops", 0.25)}
    assert sparsity.needs_idf(chosen)
    costs = sparsity.build(chosen, 200, idf)
    costs.share = 0.1
    queries, documents = weights(1, 3), weights(2, 6)
    found = costs(scored(queries, documents))
    torch.testing.assert_close(found["query_sparsity"], 0.05 * l1(queries))
    torch.testing.assert_close(found["document_sparsity"], 0.025 * idf_flops(documents, idf))
    assert costs(scored(None, None)) == {}


def test_l0_flops_gets_its_threshold() -> None:
    documents = weights(3, 4)
    few, many = (sparsity.build({"document": Penalty("l0_flops", 1.0)}, limit, None) for limit in (0, 7))
    torch.testing.assert_close(few(scored(None, documents))["document_sparsity"], flops(documents))
    assert many(scored(None, documents))["document_sparsity"] == 0


def test_counts_are_those_of_all_batches_since_the_last_time() -> None:
    activity = Activity()
    queries, documents = [weights(seed, 3) for seed in (1, 2)], [weights(seed, 6) for seed in (3, 4)]
    for pair in zip(queries, documents, strict=True):
        activity.observe(scored(*pair))
    shares = [(torch.cat(side) > 0).numpy().mean(axis=0) for side in (queries, documents)]
    found = activity.take()
    assert found["query_terms"] == pytest.approx(shares[0].sum())
    assert found["document_terms"] == pytest.approx(shares[1].sum())
    assert found["flops"] == pytest.approx(np.dot(*shares))
    assert activity.take() == {}


def test_dense_vectors_are_not_counted_and_only_points_of_the_curve_are_told() -> None:
    activity = Activity()
    activity.observe(scored(None, None))
    state = SimpleNamespace(log_history=[{"loss": 1.0}])
    ActivityLog(activity).on_log(None, state, None, {"loss": 1.0})
    assert state.log_history == [{"loss": 1.0}]
    activity.observe(scored(weights(1, 2), weights(2, 2)))
    ActivityLog(activity).on_log(None, state, None, {"eval_loss": 1.0})
    assert state.log_history == [{"loss": 1.0}]
    ActivityLog(activity).on_log(None, state, None, {"loss": 1.0})
    assert state.log_history[0].keys() == {"loss", "query_terms", "document_terms", "flops"}


def test_weights_that_were_not_named_follow_small_margins_and_named_ones_stay() -> None:
    config = TrainConfig(type="splade", document_regulariser_weight=0.3)
    chosen = sparsity.penalties(config, {"query": "flops", "document": "flops"})
    made = sparsity.build(chosen, 200, None, sparsity.unnamed_weights(config, chosen))
    assert made.beside(0.2).weights == {"query": pytest.approx(0.1 * 0.04), "document": 0.3}
    assert made.beside(7.0).weights == {"query": 0.1, "document": 0.3}
    assert made.beside(0.2).beside(1.0).unnamed == {"query"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"loss": "kl_div"}, set()),
        ({"loss": "contrastive"}, {"negatives_in_batch"}),
        ({"loss": "kl_div", "contrastive_weight": 0.1}, {"negatives_in_batch"}),
        ({"loss": "contrastive", "type": "cross-encoder"}, set()),
        ({"loss": "kl_div", "type": "splade"}, {"regulariser_weights"}),
        ({"loss": "kl_div", "type": "inference-free", "document_regulariser_weight": 1.0}, {"regulariser_weights"}),
        (
            {
                "loss": "kl_div",
                "type": "splade",
                "document_regulariser_weight": 1.0,
                "query_regulariser_weight": 1.0,
            },
            set(),
        ),
    ],
)
def test_students_of_other_mathematics_are_others(settings: Any, names: set[str]) -> None:
    """What a recipe's step is named for: the settings, and what their meaning was changed by."""
    config = TrainConfig.model_validate(settings)
    assert config.decisive().keys() - TrainConfig.model_fields.keys() == names

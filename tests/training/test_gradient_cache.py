"""Without activations: the same gradients as with them, for every type, also with dropout; and they are not kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rankdistill.data import Dataset
from rankdistill.names import STUDENTS
from rankdistill.training import columns, gradient_cache, objectives, types
from rankdistill.training.batch import Start
from rankdistill.training.config import TrainConfig
from rankdistill.training.gradient_cache import cached
from rankdistill.training.objectives import Objective
from rankdistill.training.run import train
from rankdistill.training.sparsity import Sparsity
from tests.training.conftest import MemoryStore
from tests.training.in_batch.test_objective import COLUMNS, ROWS, Table, training_rows
from tests.training.test_known_positives import STARTS
from tests.training.test_run import SMALL, log, stop_at

Built = Callable[..., tuple[Objective, list[dict[str, Any]], Tensor]]


@pytest.fixture
def built(tiny_data: Dataset, request: pytest.FixtureRequest) -> Built:
    def start(type_: str, dropout: float) -> Any:
        config = TrainConfig(type=type_, scale=2.0, token_dimension=16, dropout=dropout, contrastive_weight=0.5)
        kind = types.get(type_)
        reference = str(request.getfixturevalue(STARTS[type_]))
        model = kind.load(Start(reference, config, lambda: iter(tiny_data.contents.values())))
        rows = training_rows(np.random.default_rng(1).normal(size=(ROWS, 3)) * 4)
        objective = objectives.build(kind, model, config, rows, Sparsity({}, {}), Table())
        batch = kind.collator(model, COLUMNS, config)([rows[at] for at in range(ROWS)])
        model.train()
        return objective, columns.split(batch, COLUMNS), batch["label"]

    return start


def gradients(objective: Objective, features: list[dict[str, Any]], labels: Tensor) -> dict[str, Tensor]:
    objective.zero_grad()
    torch.manual_seed(5)
    objective(features, labels).backward()
    return {name: one.grad.clone() for name, one in objective.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("type_", STUDENTS)
def test_gradients_are_those_of_kept_activations(
    type_: str, dropout: float, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts pass in the same groups both times, as dropout draws for a group."""
    monkeypatch.setattr("rankdistill.training.embedding.CPU_GROUP", 4)
    objective, features, labels = built(type_, dropout)
    wanted = gradients(objective, features, labels)
    with cached(objective.model, 4):
        found = gradients(objective, features, labels)
    assert found.keys() == wanted.keys()
    assert any(one.abs().sum() > 0 for one in wanted.values())
    for name, one in wanted.items():
        torch.testing.assert_close(found[name], one, rtol=1e-6, atol=1e-6 * float(one.abs().max()))


@pytest.mark.parametrize("texts", [1, 3, 100])
@pytest.mark.parametrize("type_", ["dense", "splade", "multi-vector", "cross-encoder"])
def test_however_many_texts_pass_at_a_time(type_: str, texts: int, built: Built) -> None:
    objective, features, labels = built(type_, 0.0)
    wanted = gradients(objective, features, labels)
    with cached(objective.model, texts):
        found = gradients(objective, features, labels)
    largest = max(float(one.abs().max()) for one in wanted.values())  # some are 0 but for rounding, as keys' biases
    for name, one in wanted.items():
        torch.testing.assert_close(found[name], one, rtol=1e-4, atol=2e-6 * largest)


def kept_bytes(objective: nn.Module, features: list[dict[str, Any]], labels: Tensor) -> int:
    """Bytes that the forward pass keeps for the backward pass, each storage once."""
    storages: dict[int, torch.UntypedStorage] = {}  # held, as the memory of a freed one would be another's address

    def pack(one: Tensor) -> Tensor:
        storages[one.untyped_storage().data_ptr()] = one.untyped_storage()
        return one

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one):
        objective(features, labels)
    weights = {one.untyped_storage().data_ptr() for one in objective.parameters()}
    return sum(storage.nbytes() for place, storage in storages.items() if place not in weights)


def test_activations_are_not_kept(built: Built) -> None:
    objective, features, labels = built("dense", 0.0)
    plain = kept_bytes(objective, features, labels)
    with cached(objective.model, 4):
        assert kept_bytes(objective, features, labels) < plain / 10
    assert kept_bytes(objective, features, labels) == plain, "the model is as it was"


@pytest.mark.parametrize("type_", ["dense", "splade", "multi-vector"])
def test_a_part_that_waits_to_be_computed_again_holds_its_tokens_alone(type_: str, built: Built) -> None:
    """Models write what they compute into the features that they are given."""
    objective, features, _ = built(type_, 0.0)
    held: list[dict[str, Any]] = []
    given = {name: value for name, value in features[0].items() if name != "labelled"}
    with cached(objective.model, 2), pytest.MonkeyPatch.context() as patch:
        checkpoint = gradient_cache.checkpoint

        def watched(function: Any, part: dict[str, Any], **besides: Any) -> Any:
            held.append(part)
            return checkpoint(function, part, **besides)

        patch.setattr(gradient_cache, "checkpoint", watched)
        task = {"task": "query"} if type_ == "multi-vector" else {}
        objective.model(dict(given), **task)
    assert len(held) == 2
    assert all(part.keys() == given.keys() for part in held)


def test_nothing_is_computed_twice_without_a_gradient(built: Built) -> None:
    objective, features, _ = built("dense", 0.0)
    calls = []
    objective.model[0].register_forward_hook(lambda *given: calls.append(len(given[1][0]["input_ids"])))
    with cached(objective.model, 2), torch.no_grad():
        objective.model(dict(features[0]))
    assert calls == [ROWS]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Callable[..., Path]:
    def start(name: str, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        config = TrainConfig(**{**SMALL, "steps": 8, "loss": "contrastive", **given})
        return train(tiny_data, tiny_store, tiny_encoder, tmp_path / name, config, **options)

    return start


def test_a_run_has_the_same_curve_and_resumes_to_the_same_bytes(run: Callable[..., Path]) -> None:
    given = {"gradient_cache": 3, "dropout": 0.1}
    whole = run("whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run("broken", **given, progress=stop_at(6))
    again = run("broken", **given)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    curves = [[one["loss"] for one in log(out)["loss"]] for out in (run("plain"), run("cached", gradient_cache=3))]
    np.testing.assert_allclose(*curves, rtol=1e-4)


def test_a_static_student_has_no_activations_to_leave_out(
    static_student: Any, tiny_data: Dataset, tiny_store: MemoryStore, tmp_path: Path
) -> None:
    config = TrainConfig(**SMALL, steps=2, gradient_cache=2)
    assert (train(tiny_data, tiny_store, str(static_student), tmp_path / "out", config) / "manifest.json").is_file()


def test_bf16_trains(run: Callable[..., Path]) -> None:
    out = run("half", gradient_cache=3, precision="bf16", steps=2, eval_steps=2)
    assert all(np.isfinite(point["loss"]) for point in log(out)["loss"])

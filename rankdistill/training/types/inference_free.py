"""Inference-free students: SPLADE documents; a query is the set of its tokens, each with a weight of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from transformers import TrainerCallback

from rankdistill.inference.splade_head import pool_before_activation
from rankdistill.students import sparse
from rankdistill.students.idf import idf
from rankdistill.training.batch import Side, Start
from rankdistill.training.config import RegulariserName, TrainConfig
from rankdistill.training.types.base import StudentType
from rankdistill.training.types.splade import Splade


class InferenceFree(StudentType):
    """Token weights are the idf of the collection, or are learned from there on; they stay 0 or above.

    Source: Geng et al. 2024, arXiv 2411.04403 (idf); Nardini et al. 2025, arXiv 2505.01452 (learned).
    """

    usage = Splade.usage
    penalties: ClassVar[Mapping[Side, RegulariserName]] = {"document": "idf_flops"}

    def load(self, start: Start) -> Any:
        """A `SparseEncoder` with two routes; one that has token weights already keeps them."""
        model = sparse.load(start.reference, start.config.dropout, start.config.new_head, start.config.seed)
        learned = start.config.query_weights == "learned"
        if sparse.is_routed(model):
            queries = sparse.query_weights(model)
            queries.frozen = not learned
            queries.weight.requires_grad_(learned)
        else:
            weights = idf(model.tokenizer, start.documents(), sparse.vocabulary_size(model))
            model = sparse.with_static_queries(model, weights, learned)
        pool_before_activation(model)
        return model

    def reads_documents(self, config: TrainConfig) -> bool:
        """For their idf."""
        return True

    def rates(self, config: TrainConfig) -> Mapping[str, float]:
        """The token weights': far above a transformer's."""
        return {r"sub_modules\.query": config.query_weights_learning_rate}

    def callbacks(self, model: Any) -> Sequence[TrainerCallback]:
        """Keeps token weights from becoming negative: no index holds such."""
        return [_NotNegative(sparse.query_weights(model).weight)]


class _NotNegative(TrainerCallback):
    def __init__(self, weights: torch.nn.Parameter) -> None:
        self.weights = weights

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Clip them at 0."""
        with torch.no_grad():
            self.weights.clamp_(min=0)


TYPE = InferenceFree()

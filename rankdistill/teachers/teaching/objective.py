"""The losses a teacher is taught with, over groups of a query and its documents."""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers.cross_encoder.losses import RankNetLoss
from sentence_transformers.util import batch_to_device

from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.teachers.teaching.length_sorted import LengthSorted

CPU_BUDGET, GPU_BUDGET = 2048, 32768


class GroupedBinaryCrossEntropy(torch.nn.Module):
    """Binary cross-entropy over the pairs of all groups of a batch.

    sentence-transformers' `BinaryCrossEntropyLoss` takes single pairs, and nothing but a `CrossEncoder` to run them.

    Args:
        model: gives the logits.
        positive_weight: how much more a positive counts than a negative.
    """

    def __init__(self, model: LengthSorted, positive_weight: float) -> None:
        super().__init__()
        self.model = model
        self.loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(positive_weight))

    def forward(self, inputs: list[Any], labels: list[torch.Tensor], **options: Any) -> torch.Tensor:
        """The mean over pairs; `inputs` are queries and lists of documents, `labels` 1 or 0 for each document."""
        pairs = [(query, text) for query, texts in zip(*inputs, strict=True) for text in texts]
        features = batch_to_device(self.model.preprocess(pairs, **options), self.model.device)
        logits = self.model(features)["scores"].float().squeeze(1)
        return self.loss(logits, torch.cat(labels).to(logits))


def build(model: Any, config: TeachConfig) -> torch.nn.Module:
    """The loss that `config` names, for `CrossEncoderTrainer`."""
    runner = LengthSorted(model, CPU_BUDGET if model.device.type == "cpu" else GPU_BUDGET)
    if config.loss == "ranknet":
        return RankNetLoss(runner, mini_batch_size=-1)
    return GroupedBinaryCrossEntropy(runner, float(config.negatives))

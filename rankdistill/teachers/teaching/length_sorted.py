"""A cross-encoder that runs a padded batch as sub-batches of similar length: the same scores for less computing."""

from __future__ import annotations

from typing import Any

import torch

from rankdistill.errors import TeacherError
from rankdistill.inference.batching import by_token_budget


class LengthSorted(torch.nn.Module):
    """Stands in for a `CrossEncoder` in sentence-transformers' losses, which ask it for these four things.

    Args:
        model: the cross-encoder; it pads on the right.
        token_budget: padded tokens of a sub-batch at most.
    """

    def __init__(self, model: Any, token_budget: int) -> None:
        super().__init__()
        self.model = model
        self.token_budget = token_budget

    @property
    def num_labels(self) -> int:
        """Outputs of the head."""
        return self.model.num_labels

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def preprocess(self, pairs: list[tuple[str, str]], **options: Any) -> dict[str, Any]:
        """The model's own features of `pairs`, padded to the longest."""
        return self.model.preprocess(pairs, **options)

    def forward(self, features: dict[str, Any]) -> dict[str, torch.Tensor]:
        """`scores`, float[pairs, 1], in the order of the pairs; TeacherError where one is not finite."""
        lengths = features["attention_mask"].sum(dim=1).cpu().numpy()
        tensors = {name: value for name, value in features.items() if isinstance(value, torch.Tensor)}
        others = {name: value for name, value in features.items() if name not in tensors}
        order, scores = [], []
        for rows in by_token_budget(lengths, self.token_budget):
            chosen = torch.from_numpy(rows).to(self.device)
            part = {name: value[chosen, : lengths[rows].max()] for name, value in tensors.items()}
            scores.append(self.model(part | others)["scores"])
            order.append(chosen)
        logits = torch.cat(scores)[torch.argsort(torch.cat(order))]
        if not bool(torch.isfinite(logits).all()):
            raise TeacherError(
                expected="finite logits of a batch",
                got="NaN or infinite ones: the weights have diverged",
                consequence="teaching was stopped, and no teacher was saved: its scores would be no numbers",
                remedy="lower the learning rate, and remove the output folder: its checkpoints may have diverged too",
            )
        return {"scores": logits}

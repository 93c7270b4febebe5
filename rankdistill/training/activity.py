"""How sparse a student's term weights are while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from torch import Tensor
from transformers import TrainerCallback

from rankdistill.training.batch import Scored, Side


class Activity:
    """Counts active terms (weights above 0) in the batches since it was last asked; of this process's own batches."""

    def __init__(self) -> None:
        self._counts: dict[Side, Tensor] = {}
        self._texts: dict[Side, int] = {}

    def observe(self, scored: Scored) -> None:
        """Count those of a batch; nothing where the student has no term weights."""
        vectors: dict[Side, Tensor | None] = {"query": scored.queries, "document": scored.documents}
        for side, weights in vectors.items():
            if weights is not None:
                counts = (weights.detach() > 0).sum(dim=0)
                self._counts[side] = self._counts[side] + counts if side in self._counts else counts
                self._texts[side] = self._texts.get(side, 0) + len(weights)

    def state(self) -> dict[str, Any]:
        """What was counted so far, for a checkpoint."""
        return {"counts": dict(self._counts), "texts": dict(self._texts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        self._counts, self._texts = dict(state["counts"]), dict(state["texts"])

    def take(self) -> dict[str, float]:
        """Active terms a query and a document, and FLOPS; empty where none were counted. Counting starts again.

        FLOPS is `sum_j p_j q_j`, where p_j and q_j are the shares of queries and documents in which term j is active:
        the multiplications that an inverted index spends on a pair. Source: Paria et al. 2020, arXiv 2004.05665.
        """
        shares = {side: counts.double() / self._texts[side] for side, counts in self._counts.items()}
        self._counts, self._texts = {}, {}
        found = {f"{side}_terms": float(share.sum()) for side, share in shares.items()}
        if shares.keys() == set(get_args(Side)):
            found["flops"] = float(shares["query"] @ shares["document"])
        return found


class ActivityLog(TrainerCallback):
    """Puts what was counted beside each point of the loss curve."""

    def __init__(self, activity: Activity) -> None:
        self.activity = activity

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
        """Add it to the point that was just made."""
        if "loss" in logs:
            state.log_history[-1].update(self.activity.take())

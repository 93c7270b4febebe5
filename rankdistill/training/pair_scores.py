"""Scores of students that read the query and a document together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from rankdistill.training.batch import Candidates, Scored
from rankdistill.training.embedding import Features, in_length_groups, stack_columns


@dataclass(frozen=True)
class PairScores:
    """The logits of the columns: each query with its positive, then with its negatives.

    Args:
        pad_token_id: of the tokeniser, which pads on the right.
        contrastive: whether each query's own documents become candidates; to read it with others would cost too much.
    """

    pad_token_id: int
    contrastive: bool

    def __call__(self, model: nn.Module, columns: Sequence[Features]) -> Scored:
        """The scores of a batch, float32, as logits."""
        pairs = stack_columns(columns, self.pad_token_id)
        logits = in_length_groups(pairs, lambda part: model(dict(part))["scores"].float().reshape(-1))
        own = logits.unflatten(0, (-1, len(columns)))
        if not self.contrastive:
            return Scored(own)
        return Scored(own, Candidates(own, torch.zeros(len(own), dtype=torch.long, device=own.device), None))

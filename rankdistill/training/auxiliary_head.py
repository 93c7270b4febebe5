"""The second of two heads: it learns from the teacher, beside the vectors that learn from labels, and is left out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankdistill.losses import for_heads
from rankdistill.training.processes import mean_of_gradients


class AuxiliaryHead(nn.Module):
    """A linear map of the vectors of both sides, which are compared as the student's own are.

    It is the identity at the start, so that both heads begin with the same scores. Several processes average its
    gradient, since it lies outside the model that they share.

    Args:
        dimension: of the student's vectors.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, dimension, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(torch.eye(dimension))
        self.linear.weight.register_hook(mean_of_gradients)

    def forward(
        self, vectors: Float[Tensor, "texts dim"]
    ) -> tuple[Float[Tensor, "texts dim"], Float[Tensor, "texts dim"]]:
        """The vectors for the head that is kept, and those of this head; see `losses.for_heads` for the gradients."""
        kept, auxiliary = for_heads(vectors)
        return kept, self.linear(auxiliary)

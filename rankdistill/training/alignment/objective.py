"""Where the student, a batch of texts and the losses on embeddings meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankdistill.losses import ALIGNMENTS, matryoshka, mixup
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.alignment.layers import LayerRelations
from rankdistill.training.embedding import Features, embed_sorted

Loss = Callable[[Tensor, Tensor], Tensor]
"""(student, teacher), both [batch, dim] -> scalar."""


class Alignment(nn.Module):
    """A module that the trainer calls with the token columns of a batch and the teacher's vectors.

    Args:
        model: the student.
        loss: on the embeddings.
        relations: of layers inside both models; None: only their embeddings are compared.
    """

    def __init__(self, model: nn.Module, loss: Loss, relations: LayerRelations | None = None) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.relations = relations

    def forward(
        self, sentence_features: Sequence[Features], labels: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """The loss of a batch; the rows of `labels` belong to the texts of the columns, one column after the other.

        With relations the teacher's columns come after the student's, and the loss has two parts by name.
        """
        if self.relations is None:
            vectors = torch.cat([embed_sorted(self.model, features) for features in sentence_features])
            with torch.autocast(vectors.device.type, enabled=False):
                return self.loss(vectors, labels)
        vectors, related = self.relations(self.model, sentence_features)
        with torch.autocast(vectors.device.type, enabled=False):
            return {"vectors": self.loss(vectors, labels), "layers": related}


def loss_of(config: AlignConfig, normalised: bool) -> Loss:
    """The objectives that `config` names as one loss.

    Args:
        config: names and weights.
        normalised: whether the teacher's vectors have unit length.
    """
    terms = [(ALIGNMENTS[config.loss], 1.0), *((ALIGNMENTS[name], weight) for name, weight in config.extra.items())]

    def plain(student: Tensor, teacher: Tensor) -> Tensor:
        return torch.stack([weight * loss(student, teacher) for loss, weight in terms]).sum()

    whole = matryoshka(plain, config.matryoshka, normalised) if config.matryoshka else plain
    if not config.mixup:
        return whole

    def with_mixed(student: Tensor, teacher: Tensor) -> Tensor:
        mixed = mixup(student, teacher, _generator(), config.mixup_alpha, normalised)
        return whole(student, teacher) + config.mixup * whole(*mixed)

    return with_mixed


def _generator() -> np.random.Generator:
    """Drawn from torch's state, which checkpoints hold: a resumed run mixes as the uninterrupted one does."""
    return np.random.default_rng(int(torch.randint(2**62, ())))

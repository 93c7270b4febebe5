"""Layers inside student and teacher: both run over a batch, and their relations between its texts are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.losses import layer_relations
from rankdistill.students.inherit import layers_of
from rankdistill.training.alignment.targets import open_teacher
from rankdistill.training.embedding import Features, embed, in_length_groups

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.training.alignment.config import AlignConfig
    from rankdistill.training.alignment.source import EmbeddingSource


@dataclass(frozen=True)
class LayerRelations:
    """`weight * sum over the pairs of layers of layer_relations(student, teacher)`.

    Args:
        teacher: the teacher's model, in evaluation mode, without gradients; the trainer knows nothing of it.
        pairs: layer of the student -> layer of the teacher.
        ours: the student's layers.
        theirs: the teacher's.
        weight: of each pair.
    """

    teacher: SentenceTransformer
    pairs: Mapping[int, int]
    ours: nn.ModuleList
    theirs: nn.ModuleList
    weight: float

    def __call__(self, student: nn.Module, columns: Sequence[Features]) -> tuple[Tensor, Tensor]:
        """The student's embeddings [texts, dim], one column after the other, and the weighted relations of its layers.

        Args:
            student: the model, or what several processes wrap it in.
            columns: the student's, then those of the teacher for the same texts.
        """
        half = len(columns) // 2
        vectors, own = _run(student, [self.ours[layer] for layer in self.pairs], columns[:half])
        self.teacher.to(vectors.device)
        with torch.no_grad():
            _, wanted = _run(self.teacher, [self.theirs[layer] for layer in self.pairs.values()], columns[half:])
        with torch.autocast(vectors.device.type, enabled=False):
            terms = [layer_relations(ours, theirs) for ours, theirs in zip(own, wanted, strict=True)]
            return vectors, self.weight * torch.stack(terms).sum()


def build(config: AlignConfig, student: SentenceTransformer, store: EmbeddingSource) -> LayerRelations:
    """What `config.layers` names; the teacher's model is loaded from the store's reference.

    Raises:
        ConfigError: a model without layers, or without such a one.
        ModelReferenceError: the teacher is not to be found.
        SpaceMismatchError: its reference holds another model now.
    """
    ours = _layers("student", student, list(config.layers))
    encoder = open_teacher(
        store, "its layers are not those of the stored vectors", "leave `layers` out", backend="torch"
    )
    teacher = encoder.model.eval().requires_grad_(False)
    theirs = _layers(f"teacher {store.reference}", teacher, list(config.layers.values()))
    return LayerRelations(teacher, config.layers, ours, theirs, config.layers_weight)


def _layers(whose: str, model: SentenceTransformer, wanted: Sequence[int]) -> nn.ModuleList:
    try:
        found = layers_of(model)
    except ModelReferenceError as error:
        raise ConfigError(
            expected=f"a {whose} with transformer layers, as the setting `layers` compares them",
            got=f"{error.got}: a table of token vectors, or an architecture whose layers are not known",
            consequence="nothing was trained",
            remedy="leave `layers` out: the vectors alone are compared then",
        ) from error
    if beyond := [layer for layer in wanted if layer >= len(found)]:
        raise ConfigError(
            expected=f"layers of the {whose} from 0 to {len(found) - 1}",
            got=f"{beyond[0]} in the setting `layers`",
            consequence="nothing was trained",
            remedy="name layers that there are; those of a cut student are counted after the cut",
        )
    return found


def _run(model: nn.Module, layers: Sequence[nn.Module], columns: Sequence[Features]) -> tuple[Tensor, list[Tensor]]:
    """Embeddings and mean-pooled outputs of `layers`, each [texts, ...], one column after the other."""
    widths: list[int] = []

    def forward(features: Features) -> Tensor:
        with _outputs(layers) as outputs:
            vectors = embed(model, features)
        mask = features["attention_mask"].unsqueeze(-1).float()
        found = [vectors, *((states.float() * mask).sum(dim=1) / mask.sum(dim=1) for states in outputs)]
        widths[:] = [part.shape[1] for part in found]
        return torch.cat(found, dim=1)

    whole = torch.cat([in_length_groups(features, forward) for features in columns])
    vectors, *pooled = whole.split(widths, dim=1)
    return vectors, pooled


@contextmanager
def _outputs(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """What each of `layers` gives in a forward pass within the block: [texts, tokens, width]."""
    found: list[Tensor] = [torch.empty(0)] * len(layers)

    def keep(place: int, module: nn.Module, given: Any, output: Any) -> None:
        found[place] = output[0] if isinstance(output, tuple) else output

    hooks = [layer.register_forward_hook(partial(keep, place)) for place, layer in enumerate(layers)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()

"""Students that inherit some of a larger encoder's layers, with their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest, models
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference.saving import save_model
from rankdistill.making import making
from rankdistill.students import dense, sparse

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer, SparseEncoder
    from torch import nn

LAYER_LISTS = ("encoder.layer", "encoder.layers", "transformer.layer", "layers")
"""Where encoders hold their layers: BERT, RoBERTa, MPNet, ELECTRA; NeoBERT-like; DistilBERT; ModernBERT, NomicBERT.

Models with a head for a task (sequence classification, masked tokens) hold the encoder one level deeper."""


def inherit(model: str, keep_layers: Sequence[int], out: Path, with_head: bool = False) -> Path:
    """Write a sentence-transformers model with only the layers `keep_layers` of `model`; returns `out`.

    Args:
        model: path, hub id or `pypi:DISTRIBUTION` of the larger encoder.
        keep_layers: layers to keep, from 0, in ascending order.
        out: folder to write; a folder made from the same inputs is left as it is.
        with_head: keep the head over the vocabulary too: the model is SPLADE, or a masked language model.

    Raises:
        ConfigError: a layer does not exist, comes twice, or is out of order.
        ModelReferenceError: the model does not load, or its architecture is not known.
        StaleOutputError: `out` was made from other inputs.
    """
    wanted = manifest.Manifest(
        artefact="student",
        inputs={"model": models.resolve(model).weights_hash},
        parameters={"keep_layers": list(keep_layers)} | ({"with_head": True} if with_head else {}),
        versions=manifest.versions_of("torch", "transformers", "sentence-transformers"),
        command=f"rankdistill.students.inherit.inherit({model!r}, {list(keep_layers)}, {str(out)!r})",
    )

    @cache
    def student() -> SentenceTransformer | SparseEncoder:
        loaded = sparse.load(model) if with_head else dense.load(model)
        keep(loaded, keep_layers)
        return loaded

    with making(out, wanted, check=student) as made:
        if not made.current:
            save_model(student(), out)
            made.wrote()
    return out


def keep(student: SentenceTransformer | SparseEncoder, keep_layers: Sequence[int]) -> None:
    """Remove from `student`, in place, every encoder layer but `keep_layers`; its configuration follows.

    Raises:
        ConfigError: a layer does not exist, comes twice, or is out of order.
        ModelReferenceError: the architecture is not known, or the kept layers cannot take their new places.
    """
    from torch import nn

    encoder = student.transformers_model
    path, layers = _find_layers(encoder)
    chosen = list(keep_layers)
    _require_layers(chosen, len(layers))
    parent, _, name = path.rpartition(".")
    setattr(encoder.get_submodule(parent), name, nn.ModuleList(layers[index] for index in chosen))
    layer_types = encoder.config.to_dict().get("layer_types")
    if layer_types is not None:
        encoder.config.layer_types = [layer_types[index] for index in chosen]
    encoder.config.num_hidden_layers = len(chosen)
    _require_loadable(encoder, chosen)


def layer_count(student: SentenceTransformer) -> int:
    """How many encoder layers `student` has.

    Raises:
        ModelReferenceError: the architecture is not known.
    """
    return len(layers_of(student))


def layers_of(student: SentenceTransformer) -> nn.ModuleList:
    """The encoder layers of `student`, from the first.

    Raises:
        ModelReferenceError: the architecture is not known.
    """
    return _find_layers(student.transformers_model)[1]


@contextmanager
def only(student: SentenceTransformer, layers: Sequence[int]) -> Iterator[None]:
    """Within the block, `student` runs through `layers` alone; then all are back. For looking, not for saving.

    Raises:
        ConfigError: a layer does not exist, comes twice, or is out of order.
        ModelReferenceError: the architecture is not known.
    """
    from torch import nn

    encoder = student.transformers_model
    path, every = _find_layers(encoder)
    _require_layers(list(layers), len(every))
    parent, _, name = path.rpartition(".")
    holder = encoder.get_submodule(parent)
    setattr(holder, name, nn.ModuleList(every[index] for index in layers))
    try:
        yield
    finally:
        setattr(holder, name, every)


def _find_layers(encoder: Any) -> tuple[str, nn.ModuleList]:
    from torch import nn

    inside = dict(encoder.named_modules()) if encoder is not None else {}
    below_a_head = [f"{encoder.base_model_prefix}.{path}" for path in LAYER_LISTS] if encoder is not None else []
    for path in (*LAYER_LISTS, *below_a_head):
        found = inside.get(path)
        if isinstance(found, nn.ModuleList) and len(found) == encoder.config.num_hidden_layers:
            return path, found
    raise ModelReferenceError(
        expected=f"an encoder with a list of layers at one of {', '.join(LAYER_LISTS)}",
        got=type(encoder).__name__,
        consequence="no layer was removed",
        remedy="take a student as it is (without keeping layers), or another architecture",
    )


def _require_layers(chosen: list[int], count: int) -> None:
    ascending = all(before < after for before, after in pairwise(chosen))
    if not chosen or not ascending or chosen[0] < 0 or chosen[-1] >= count:
        raise ConfigError(
            expected=f"different layers from 0 to {count - 1}, in ascending order",
            got=f"{chosen}",
            consequence="no layer was removed",
            remedy=f"keep, for instance, layers 0 and {count - 1}",
        )


def _require_loadable(encoder: Any, chosen: list[int]) -> None:
    """A model built afresh from the new configuration must hold exactly the weights that are kept."""
    import torch

    with torch.device("meta"):
        fresh = type(encoder)(encoder.config)
    if fresh.state_dict().keys() != encoder.state_dict().keys():
        raise ModelReferenceError(
            expected=f"an architecture whose layers {chosen} can become layers 0 to {len(chosen) - 1}",
            got=f"{type(encoder).__name__}, whose layers differ in kind",
            consequence="the saved model would load with other weights than it was saved with",
            remedy="keep layer 0",
        )

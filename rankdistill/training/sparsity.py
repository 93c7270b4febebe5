"""The regularisers of a run: which, how heavy, and how they set in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_args

from torch import Tensor
from transformers import TrainerCallback

from rankdistill.errors import ConfigError
from rankdistill.losses import REGULARISERS
from rankdistill.names import LOSSES
from rankdistill.training.batch import Penalty, Scored, Side
from rankdistill.training.config import SPARSE_TYPES, LossName, RegulariserName, TrainConfig

Regulariser = Callable[[Tensor], Tensor]
"""Term weights, [texts, vocabulary] -> penalty."""


IDF_FLOPS_FACTOR = 16.0
"""How much more `idf_flops` weighs than FLOPS: divided by `1 + idf` twice, it is about a tenth as large.

Source: .08 for inference-free students beside KL divergence in the configurations of Shen et al. 2025, arXiv
2504.14839, against naver/splade's .005.
"""


@dataclass
class Sparsity:
    """The penalties of both sides, at a share of their weights that rises in the warm-up.

    Args:
        regularisers: side -> penalty of its term weights, before the weight.
        weights: side -> weight at the end of the warm-up.
        share: of the weights, now.
        unnamed: sides whose weight was not named.
    """

    regularisers: Mapping[Side, Regulariser]
    weights: Mapping[Side, float]
    share: float = 1.0
    unnamed: frozenset[Side] = frozenset()

    def beside(self, unit: float) -> Sparsity:
        """The same beside margins that deviate by `unit`, in the teacher's unit.

        The weights that are taken where none is named hold for logits. Margins of cosines or probabilities deviate by
        far less than 1, squared ones all the more, and the same weights would leave such a student no terms. So below 1
        they are multiplied by `unit^2`. What was named stays as it is.
        """
        factor = min(1.0, unit) ** 2
        weights = {side: weight * factor if side in self.unnamed else weight for side, weight in self.weights.items()}
        return replace(self, weights=weights)

    def __call__(self, scored: Scored) -> dict[str, Tensor]:
        """The weighted penalties, by side; empty where nothing is regularised."""
        vectors: dict[Side, Tensor | None] = {"query": scored.queries, "document": scored.documents}
        return {
            f"{side}_sparsity": self.share * self.weights[side] * regulariser(weights)
            for side, regulariser in self.regularisers.items()
            if (weights := vectors[side]) is not None
        }


class RegulariserWarmUp(TrainerCallback):
    """Sets the share before each step from the step's number alone, so that a resumed run repeats it.

    share = (step / (warmup * steps))^2, or without the square; 1 behind the warm-up.

    Source: Formal et al. 2021, arXiv 2109.10086.
    """

    def __init__(self, sparsity: Sparsity, warmup: float, schedule: str) -> None:
        self.sparsity, self.warmup, self.power = sparsity, warmup, 2 if schedule == "quadratic" else 1

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the share of this step."""
        steps = self.warmup * state.max_steps
        self.sparsity.share = min(1.0, state.global_step / steps) ** self.power if steps else 1.0


def default_weight(config: TrainConfig, side: Side, name: RegulariserName) -> float:
    """The weight of a regulariser that has none by name: FLOPS' beside the loss, of a sum of losses the same sum.

    `l1` and `l0_flops` take that of FLOPS, as naver/splade does for `l1` of queries beside KL; `idf_flops` takes more.
    They hold for a teacher that scores in logits; see `Sparsity.beside`.

    Raises:
        ConfigError: none is known beside this loss.
    """
    parts = config.terms
    if not config.learns_from_labels and "contrastive_weight" not in LOSSES[config.loss].settings:
        parts["contrastive"] = config.contrastive_weight
    weight = sum(share * _flops_weight(part, side) for part, share in parts.items())
    return weight * IDF_FLOPS_FACTOR if name == "idf_flops" else weight


def unnamed_weights(config: TrainConfig, chosen: Mapping[Side, Penalty]) -> dict[Side, float]:
    """Side -> weight, of the penalties whose weight is that of the loss."""
    return {side: one.weight for side, one in chosen.items() if getattr(config, f"{side}_regulariser_weight") is None}


def penalties(config: TrainConfig, defaults: Mapping[Side, RegulariserName]) -> dict[Side, Penalty]:
    """The regularisers of a run by side: those of `config`, where it names none those of the type.

    A weight that is not named is `default_weight`.

    Raises:
        ConfigError: `config` names one for a type that has no vectors over a vocabulary, or one without a weight.
    """
    chosen: dict[Side, Penalty] = {}
    for side in get_args(Side):
        name, weight = getattr(config, f"{side}_regulariser"), getattr(config, f"{side}_regulariser_weight")
        if not defaults and (weight or name not in (None, "none")):
            raise _nothing_to_regularise(side, name or "a weight")
        default = defaults.get(side, "none")
        name = name or default
        if name == "none":
            continue
        weight = default_weight(config, side, name) if weight is None else weight
        if weight == 0 and name == default:
            continue
        if weight == 0:
            raise ConfigError(
                expected=f"{side}_regulariser_weight above 0, with {side}_regulariser {name}",
                got="no weight",
                consequence="the regulariser would do nothing",
                remedy=f"set {side}_regulariser_weight, such as 0.01",
            )
        chosen[side] = Penalty(name, weight)
    return chosen


def build(chosen: Mapping[Side, Penalty], threshold: int, idf: Tensor | None, unnamed: Iterable[Side] = ()) -> Sparsity:
    """The sparsity of a run.

    Args:
        chosen: see `penalties`.
        threshold: of `l0_flops`, active terms.
        idf: [vocabulary], where `idf_flops` is chosen.
        unnamed: sides whose weight was not named.
    """
    options: dict[str, dict[str, Any]] = {"idf_flops": {"idf": idf}, "l0_flops": {"threshold": threshold}}
    return Sparsity(
        {side: partial(REGULARISERS[one.name], **options.get(one.name, {})) for side, one in chosen.items()},
        {side: one.weight for side, one in chosen.items()},
        unnamed=frozenset(unnamed),
    )


def needs_idf(chosen: Mapping[Side, Penalty]) -> bool:
    """Whether term statistics are needed."""
    return any(one.name == "idf_flops" for one in chosen.values())


def _flops_weight(loss: LossName, side: Side) -> float:
    weights = LOSSES[loss].flops
    if weights is None:
        known = [name for name, other in LOSSES.items() if other.flops or other.parts]
        raise ConfigError(
            expected=f"{side}_regulariser_weight, which is known beside {', '.join(known)} alone",
            got=f"none, and the loss {loss}",
            consequence="nothing was trained: losses differ in size, so one weight cannot suit them all",
            remedy=f"set {side}_regulariser_weight, such as 0.01",
        )
    return weights[0 if side == "query" else 1]


def _nothing_to_regularise(side: str, name: str) -> ConfigError:
    return ConfigError(
        expected=f"a type of student whose vectors are over a vocabulary ({', '.join(SPARSE_TYPES)})",
        got=f"a {side} regulariser ({name}) for another type",
        consequence="nothing was trained: it would have no effect",
        remedy="leave it out, or train a sparse type",
    )

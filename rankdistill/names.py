"""What training settings name, and what stands behind each name: losses, regularisers, types of student.

The only place that lists them. Settings, their JSON Schema, the gate, the help of the command line and the tests read
these tables; what a name stands for is imported when it is used, so that reading settings loads no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Loss:
    """A loss on the scores of a query's documents, and what settings must know of it.

    Args:
        function: `module:function`; the function takes (student_scores, teacher_scores), both [batch, docs]. Further
            parameters that are called as a setting of `TrainConfig` get the value of that setting.
        options: arguments of the function that the name stands for.
        margins: it compares differences of scores, which are then counted in units of their deviation, and which
            places in a ranking do not have.
        labels: it learns from labels alone; its function takes (student_scores, positives).
        flops: (query, document) weight of FLOPS beside it where none is named, for a teacher that scores in logits.
            Losses differ in size, so one weight cannot suit them all; where there is None, sparse students name theirs.
        parts: of a sum of losses, name -> the setting that is its weight; what is above follows from them.
        in_batch: `module:function` of what it is over the documents of the whole batch, with an in-batch teacher; takes
            (student_scores, teacher_scores), both [batch, batch * docs]. None: there is no such form.
        settings: setting -> its value where the loss is named and the setting is not: what it was published with.
    """

    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    margins: bool = False
    labels: bool = False
    flops: tuple[float, float] | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    in_batch: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudentKind:
    """A type of student, and what settings must know of it.

    Args:
        module: has `TYPE`, a `rankdistill.training.types.base.StudentType`.
        sparse: its vectors are over a vocabulary.
        pairs: it scores a query with documents of its own only.
    """

    module: str
    sparse: bool = False
    pairs: bool = False


_MARGIN_MSE = "rankdistill.losses.margin_mse:margin_mse"
_KL_DIV = "rankdistill.losses.kl_div:kl_div"
_PLD = "rankdistill.losses.pld:pld"
_OF_OTHERS = "rankdistill.losses.in_batch_margin_mse:in_batch_margin_mse"
_OF_ALL = "rankdistill.losses.in_batch_margin_mse_all:in_batch_margin_mse_all"

LOSSES: Mapping[str, Loss] = {
    "margin_mse": Loss(_MARGIN_MSE, {"pairs": "positive"}, margins=True, flops=(0.1, 0.08), in_batch=_OF_OTHERS),
    "margin_mse_all": Loss(_MARGIN_MSE, {"pairs": "all"}, margins=True, flops=(0.1, 0.08), in_batch=_OF_ALL),
    "kl_div": Loss(_KL_DIV, flops=(0.005, 0.005), in_batch=_KL_DIV),
    "splade_v3": Loss(
        "rankdistill.losses.splade_v3:splade_v3", parts={"kl_div": "kl_weight", "margin_mse": "margin_weight"}
    ),
    "disco": Loss(
        "rankdistill.losses.disco:disco",
        flops=(0.0, 0.0),
        settings={
            **{"kl_weight": 0.99, "contrastive_weight": 0.01, "negatives": 16, "sampling": "uniform"},
            **{"epochs": 5.0, "batch_size": 10, "learning_rate": 2e-5, "warmup": 0.01, "weight_decay": 0.0},
        },
    ),
    "pld": Loss(_PLD, {"positive_first": False}),
    "pld_positive": Loss(_PLD, {"positive_first": True}),
    "sinkhorn": Loss(
        "rankdistill.losses.sinkhorn:sinkhorn",
        settings={"student_temperature": 2.0, "teacher_temperature": 2.0},
    ),
    "sinkd": Loss("rankdistill.losses.sinkd:sinkd", parts={"kl_div": "kl_weight", "sinkhorn": "sinkhorn_weight"}),
    "tgeo": Loss("rankdistill.losses.tgeo:tgeo"),
    "contrastive": Loss("rankdistill.losses.contrastive:contrastive", labels=True, flops=(0.0003, 0.0001)),
}
"""Name -> loss on scores. Add one here.

Source of the weights of FLOPS: the configurations in github.com/naver/splade for DistilMarginMSE (the lighter of its
two), KlDiv and InBatchPairwiseNLL; DiSCo's authors regularise neither side (arXiv 2410.14609).
"""

ALIASES: Mapping[str, str] = {"kl": "kl_div"}
"""What a loss on scores may be called too -> its name."""

ALIGNMENTS: Mapping[str, str] = {
    "leaf": "rankdistill.losses.leaf:leaf",
    "cosine": "rankdistill.losses.cosine:cosine",
    "mi_alpha": "rankdistill.losses.mi_alpha:mi_alpha",
    "affinity": "rankdistill.losses.affinity:affinity",
    "nd": "rankdistill.losses.nd:nd",
    "lelp": "rankdistill.losses.lelp:lelp",
}
"""Name -> `module:function` of (student, teacher) embeddings, both [batch, dim] of the same texts. Add one here."""

REGULARISERS: Mapping[str, str] = {
    "flops": "rankdistill.losses.flops:flops",
    "l1": "rankdistill.losses.l1:l1",
    "idf_flops": "rankdistill.losses.idf_flops:idf_flops",
    "l0_flops": "rankdistill.losses.l0_flops:l0_flops",
}
"""Name -> `module:function` of term weights, [texts, vocabulary]. Add one here."""

STUDENTS: Mapping[str, StudentKind] = {
    "dense": StudentKind("rankdistill.training.types.dense"),
    "splade": StudentKind("rankdistill.training.types.splade", sparse=True),
    "splade-doc": StudentKind("rankdistill.training.types.splade_doc", sparse=True),
    "inference-free": StudentKind("rankdistill.training.types.inference_free", sparse=True),
    "multi-vector": StudentKind("rankdistill.training.types.multi_vector"),
    "cross-encoder": StudentKind("rankdistill.training.types.cross_encoder", pairs=True),
    "pair-head": StudentKind("rankdistill.training.types.pair_head", pairs=True),
}
"""Name -> type of student on scores. Add one here."""


TRACKERS: Mapping[str, str] = {
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "comet_ml": "comet_ml",
    "clearml": "clearml",
    "dvclive": "dvclive",
    "neptune": "neptune",
    "swanlab": "swanlab",
}
"""Experiment tracker, as the Trainer of transformers calls it -> the module that it needs."""


def load(reference: str) -> Any:
    """What `module:attribute` names; imports the module."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def has_in_batch_form(name: str) -> bool:
    """Whether the loss called `name`, or each part of it, can be computed over the documents of the whole batch."""
    return all(LOSSES[part].in_batch is not None for part in LOSSES[name].parts or (name,))


def compares_margins(name: str) -> bool:
    """Whether the loss called `name`, or a part of it, compares margins."""
    return any(LOSSES[part].margins for part in LOSSES[name].parts or (name,))


def listed(names: Iterable[str], default: str | None = None) -> str:
    """The names in a sentence: `a (default), b or c`."""
    shown = [f"{name} (default)" if name == default else name for name in names]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def names_test(split: str) -> bool:
    """Whether a split is one to test on, by its name: what was chosen on it cannot be tested on it any more."""
    return "test" in split.lower()

"""The losses: one file an objective, pure functions of tensors, no model inside.

`LOSSES` compares scores of a query's candidates, `ALIGNMENTS` embeddings of single texts, `layer_relations` what is
inside, `token_relations` the tokens of a batch; `dual_head` is of two heads on one vector; `REGULARISERS` make vectors
over a vocabulary sparse. The names are those of `rankdistill.names`, where a new one is added.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from rankdistill import names
from rankdistill.losses.affinity import affinity
from rankdistill.losses.contrastive import contrastive
from rankdistill.losses.cosine import cosine
from rankdistill.losses.disco import disco
from rankdistill.losses.dual_head import dual_head, for_heads
from rankdistill.losses.flops import flops
from rankdistill.losses.idf_flops import idf_flops
from rankdistill.losses.in_batch_margin_mse import in_batch_margin_mse
from rankdistill.losses.in_batch_margin_mse_all import in_batch_margin_mse_all
from rankdistill.losses.kl_div import kl_div
from rankdistill.losses.l0_flops import l0_flops
from rankdistill.losses.l1 import l1
from rankdistill.losses.layer_relations import layer_relations
from rankdistill.losses.leaf import leaf
from rankdistill.losses.lelp import lelp
from rankdistill.losses.margin_mse import margin_mse
from rankdistill.losses.matryoshka import matryoshka
from rankdistill.losses.mi_alpha import mi_alpha
from rankdistill.losses.mixup import mixup
from rankdistill.losses.nd import nd
from rankdistill.losses.pld import pld
from rankdistill.losses.sinkd import sinkd
from rankdistill.losses.sinkhorn import sinkhorn
from rankdistill.losses.splade_v3 import splade_v3
from rankdistill.losses.tgeo import tgeo, triangle_gate
from rankdistill.losses.token_relations import token_relations

LOSSES: dict[str, Callable[..., Tensor]] = {
    name: partial(names.load(loss.function), **loss.options) if loss.options else names.load(loss.function)
    for name, loss in names.LOSSES.items()
}
"""Name -> loss of (student_scores, teacher_scores), or for `contrastive` of (student_scores, positives)."""

IN_BATCH: dict[str, Callable[..., Tensor]] = {
    name: names.load(loss.in_batch) for name, loss in names.LOSSES.items() if loss.in_batch is not None
}
"""Name of a loss -> what it is over the whole batch, of (student_scores, teacher_scores), [batch, batch * docs]."""

ALIGNMENTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    name: names.load(reference) for name, reference in names.ALIGNMENTS.items()
}
"""Name -> loss of (student, teacher) embeddings, [batch, dim] of the same texts; `mixup`, `matryoshka` go on top."""

REGULARISERS: dict[str, Callable[..., Tensor]] = {
    name: names.load(reference) for name, reference in names.REGULARISERS.items()
}
"""Name -> penalty of term weights, [texts, vocabulary]; `idf_flops` takes the idf too, `l0_flops` a threshold."""

__all__ = [
    "ALIGNMENTS",
    "IN_BATCH",
    "LOSSES",
    "REGULARISERS",
    "affinity",
    "contrastive",
    "cosine",
    "disco",
    "dual_head",
    "flops",
    "for_heads",
    "idf_flops",
    "in_batch_margin_mse",
    "in_batch_margin_mse_all",
    "kl_div",
    "l0_flops",
    "l1",
    "layer_relations",
    "leaf",
    "lelp",
    "margin_mse",
    "matryoshka",
    "mi_alpha",
    "mixup",
    "nd",
    "pld",
    "sinkd",
    "sinkhorn",
    "splade_v3",
    "tgeo",
    "token_relations",
    "triangle_gate",
]

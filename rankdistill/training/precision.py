"""The numbers that a run computes in."""

from __future__ import annotations

from rankdistill.inference.precision import bf16_is_faster, pick_device
from rankdistill.training.settings import Precision


def resolve_precision(precision: Precision) -> Precision:
    """What `auto` means on this machine: bf16 where it is faster than float32, fp16 on GPUs without it."""
    if precision != "auto":
        return precision
    if bf16_is_faster():
        return "bf16"
    return "fp16" if pick_device(None) == "cuda" else "float32"

"""Devices and number formats."""

from __future__ import annotations

from contextlib import AbstractContextManager

DTYPES = ("float32", "bfloat16")


def pick_device(device: str | None) -> str:
    """`device`, or the GPU where torch sees one, else the CPU."""
    import torch

    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: str, dtype: str) -> AbstractContextManager[None]:
    """A context in which torch computes in `dtype`."""
    import torch

    return torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=dtype == "bfloat16")

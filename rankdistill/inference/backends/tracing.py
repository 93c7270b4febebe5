"""What the back ends that trace a torch module share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def quiet_tracing(*others: str) -> Iterator[None]:
    """Hide the tracer's warnings and notices: the outputs are compared with the original model's instead.

    Args:
        others: loggers that are quiet meanwhile too.
    """
    loggers = [logging.getLogger(name) for name in ("transformers", "torch.onnx", *others)]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def tensors_of(example: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
    """The arrays of `example` as torch tensors."""
    import torch

    return tuple(torch.from_numpy(array) for array in example.values())

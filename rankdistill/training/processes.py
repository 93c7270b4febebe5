"""Which of the processes that torchrun started this one is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process writes the output."""
    return int(os.environ.get("RANK", "0")) == 0


def mean_of_gradients(gradient: Tensor) -> Tensor:
    """The mean of all processes' gradients, for a parameter outside the model that they share."""
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return gradient
    total = gradient.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def await_first() -> None:
    """Wait until all processes that train together are here: the first comes when its output is written."""
    if count() > 1:
        from torch import distributed

        if distributed.is_available() and distributed.is_initialized():
            distributed.barrier()

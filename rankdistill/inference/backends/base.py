"""What a back end is, and what it is given to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

Precision = Literal["float32", "bfloat16", "float16", "int8"]


class Backend(Protocol):
    """Runs a model on padded token ids."""

    @property
    def token_budget(self) -> int:
        """Padded tokens of a batch that this back end is fastest with."""
        ...

    @property
    def on_grid(self) -> bool:
        """Whether it keeps memory for each shape: batches are padded to few then; see `inference.shapes`."""
        ...

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output, float32[rows, outputs], in an array that no later call writes to.

        `features` are int64[rows, longest]. Where it cannot be computed an exception is raised: never is anything else
        returned in its place.
        """
        ...


@dataclass(frozen=True)
class TokenModel:
    """A torch module from token features to one tensor, and what a back end may need to know of it.

    Args:
        module: takes the tensors of `example`, in that order.
        example: small features to trace with; their shape does not matter afterwards.
        identity: what the module's numbers depend on (weights, maximum length, output); JSON values.
        calibration: gives the rows that a quantised form is calibrated with, each as features of its own.
        calibration_hash: of the texts of these rows.
        threads: that may run it; None: all of torch's.
    """

    module: Any
    example: Mapping[str, np.ndarray]
    identity: Mapping[str, Any]
    calibration: Callable[[], Sequence[Mapping[str, np.ndarray]]]
    calibration_hash: str
    threads: int | None = None


@dataclass(frozen=True)
class BackendInfo:
    """A line of the registry.

    Args:
        module: has `open_backend(model: TokenModel, device: str) -> Backend`.
        precision: in which the matrix products are computed; every other than float32 is checked for fidelity.
        devices: kinds of torch devices that it runs on.
        libraries: modules that must be installed besides torch.
        calibrated: whether its numbers depend on the calibration pairs.
        instructions: of a processor, one of which makes it worth comparing there; none: any processor will do.
    """

    module: str
    precision: Precision = "float32"
    devices: tuple[str, ...] = ("cpu",)
    libraries: tuple[str, ...] = ()
    calibrated: bool = False
    instructions: tuple[str, ...] = ()

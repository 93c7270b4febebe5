"""Typed settings of the kinds of teachers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from rankdistill.inference.backends import FAST


class Settings(BaseModel):
    """Base of each kind's settings: unknown names are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSettings(Settings):
    """Settings of a teacher that runs a model here.

    Args:
        model: a model reference.
        backend: what runs it.
        max_length: tokens of an input at most; None keeps the model's own.
    """

    model: str
    backend: str = "auto"
    max_length: int | None = None


class FastModelSettings(ModelSettings):
    """Settings of a teacher that the fast back ends run.

    Args:
        calibration: (query, document) texts like those to be scored, for back ends that are calibrated; the verbs that
            score draw them from the candidates.
    """

    calibration: tuple[tuple[str, str], ...] | None = None


class TorchModelSettings(ModelSettings):
    """Settings of a teacher whose model only torch runs here.

    Args:
        backend: `auto` and `torch` are the same; `fast` lets a sparse or multi-vector model take the faster `dtype`.
        dtype: number format of the computation; bfloat16 is less exact, and faster on some processors.
    """

    backend: Literal["auto", "torch", "fast"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"

    def in_float32(self) -> Self | None:
        """The same settings with `dtype` float32; None where it is that already."""
        if self.dtype == "float32" and self.backend != FAST:
            return None
        return self.model_copy(update={"backend": "torch", "dtype": "float32"})

    @property
    def encoder_backend(self) -> str:
        """What runs the model, by the name that encoders have for it."""
        if self.backend == FAST:
            return FAST
        return "torch-bf16" if self.dtype == "bfloat16" else "torch"

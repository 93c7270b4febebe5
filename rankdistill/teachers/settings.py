"""Typed settings of the kinds of teachers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of each kind's settings: unknown names are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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

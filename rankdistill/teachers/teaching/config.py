"""Settings of a teacher's fine-tuning."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from pathlib import Path
from typing import Any, Literal, get_args

from rankdistill.errors import ConfigError

Loss = Literal["bce", "ranknet"]

LENGTH = 256
"""Tokens of a pair where the settings name no length."""


@dataclass(frozen=True)
class TeachConfig:
    """How a cross-encoder is fine-tuned.

    Args:
        loss: `bce` (each pair relevant or not, positives weighted by the number of negatives) or `ranknet` (each
            positive above each of its negatives).
        negatives: unlabelled candidates a positive.
        epochs: passes over the positives; negatives are drawn anew in each.
        steps: optimiser steps, instead of `epochs`.
        batch_size: positives, with their negatives, a step.
        learning_rate: peak of the linear schedule.
        warmup: share of the steps that the learning rate rises.
        weight_decay: of AdamW.
        dropout: rate everywhere in the model; above 0 it slows training on CPU, see benchmarks/LOG.md.
        max_length: tokens of a pair at most, special tokens included; None takes `LENGTH`, or as many as the base has
            positions for.
        bf16: bfloat16 autocast; None takes it where it is faster than float32.
        seed: of the head's weights, the draw and dropout.
        dev_queries: queries of the dev split that are evaluated at most.
        evaluations: how often the dev split is evaluated (and a checkpoint written) on the way.
    """

    loss: Loss = "ranknet"
    negatives: int = 7
    epochs: float = 1.0
    steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 7e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.0
    max_length: int | None = None
    bf16: bool | None = None
    seed: int = 13
    dev_queries: int = 100
    evaluations: int = 4

    def __post_init__(self) -> None:
        _expect_loss(self.loss)
        for name in ("negatives", "batch_size", "epochs", "learning_rate", "dev_queries", "evaluations"):
            _expect(0 < getattr(self, name) < inf, f"{name} above 0, and finite", getattr(self, name))
        _expect(self.steps is None or self.steps > 0, "steps above 0", self.steps)
        _expect(0 <= self.seed < 2**32, "a seed from 0 to below 2^32", self.seed)
        _expect(0 <= self.warmup < 1, "warmup from 0 to below 1, a share of the steps", self.warmup)
        _expect(0 <= self.weight_decay < inf, "weight_decay of 0 or more, and finite", self.weight_decay)
        _expect(0 <= self.dropout < 1, "dropout from 0 to below 1", self.dropout)
        _expect(self.max_length is None or self.max_length >= 8, "max_length of at least 8 tokens", self.max_length)

    @property
    def length(self) -> int:
        """Tokens of a pair at most, where the base has as many positions."""
        return LENGTH if self.max_length is None else self.max_length

    def decisive(self) -> dict[str, Any]:
        """The settings by name, as manifests and steps hold them."""
        return asdict(self) | {"max_length": self.length}


def read(config: Path | TeachConfig | None, given: Mapping[str, object], besides: Collection[str] = ()) -> TeachConfig:
    """The settings of a YAML file or of `config` itself (or the defaults), with those `given` that are not None on top.

    Args:
        config: a YAML file with one setting a line, or settings.
        given: settings by name; None leaves one as it is.
        besides: names that one of `given` may have been meant for.

    Raises:
        ConfigError: no such file, no mapping in it, an unknown setting, or an invalid value.
    """
    from pydantic import TypeAdapter, ValidationError

    from rankdistill import plain_yaml

    known = [field.name for field in fields(TeachConfig)]
    if config is None or isinstance(config, TeachConfig):
        settings = {} if config is None else asdict(config)
    else:
        settings = plain_yaml.read_settings(config, "teach")
    plain_yaml.require_known({**settings, **given}, known, besides)
    settings |= {name: value for name, value in given.items() if value is not None}
    if "loss" in settings:
        _expect_loss(settings["loss"])
    try:
        return TypeAdapter(TeachConfig).validate_python(settings)
    except ValidationError as error:
        raise ConfigError(
            expected="valid settings of a teacher's training",
            got="; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()),
            consequence="nothing was trained",
            remedy="give each of these settings a value that it takes",
        ) from error


def _expect_loss(loss: object) -> None:
    _expect(loss in get_args(Loss), f"a loss among {', '.join(get_args(Loss))}", loss)


def _expect(condition: bool, expected: str, got: object) -> None:
    if not condition:
        raise ConfigError(
            expected=expected, got=repr(got), consequence="nothing was trained", remedy="correct the setting"
        )

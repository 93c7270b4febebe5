"""The settings that every training run has, and how settings are read. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rankdistill.errors import ConfigError
from rankdistill.names import TRACKERS

if TYPE_CHECKING:
    Tracker = str
else:
    Tracker = Literal[*TRACKERS]

Precision = Literal["auto", "float32", "bf16", "fp16"]
Select = Literal["best", "last", "mean", "ema"]
Settings = TypeVar("Settings", bound="RunSettings")

TELLING = ("report_to",)
"""Settings of who is told of a run: they decide nothing of its student."""

LARGEST_SEED = 2**32 - 1
"""Of numpy's own generator, which the trainer seeds too."""


MOST_ROWS = 2**32
"""Rows that all steps of a run take together: their order is drawn before the first."""


class RunSettings(BaseModel):
    """What a run needs whatever it learns from; the same settings, data and student give the same student."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    steps: int | None = Field(default=None, ge=1, description="Optimiser steps; None: as many as the passes take.")
    batch_size: int = Field(default=32, ge=1, description="Rows a step on one device.")
    gradient_accumulation: int = Field(default=1, ge=1, description="Batches whose gradients are summed in one step.")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's decay, not on biases and norms.")
    max_gradient_norm: float = Field(default=1.0, gt=0, description="Gradients are clipped to this norm.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Rate everywhere in the student; above 0 it is slow on CPU."
    )
    seed: int = Field(default=13, ge=0, le=LARGEST_SEED, description="Seed of sampling, order and dropout.")
    precision: Precision = Field(
        default="auto",
        description="auto: bf16 autocast where it is faster, fp16 on older GPUs, else float32.",
    )
    max_query_length: int | None = Field(
        default=None,
        ge=4,
        description="Query tokens in training; None: the model's limit, or max_document_length. Refused where it "
        "would have no effect: token tables read whole queries, cross-encoders cut pairs.",
    )
    max_document_length: int | None = Field(
        default=None,
        ge=4,
        description="Document tokens in training (a pair's, of cross-encoders), and of the saved student in use; None: "
        "the model's limit.",
    )

    eval_steps: int = Field(default=100, ge=1, description="Steps between evaluations and checkpoints.")
    log_steps: int = Field(default=10, ge=1, description="Steps between points of the loss curve; divides eval_steps.")
    select: Select = Field(
        default="best",
        description="Which weights the student gets: those of the best evaluation on dev (`best`; without a dev split "
        "of the last step), of the last step (`last`: few dev queries may prefer an early one by chance), the mean of "
        "those at the last `average` evaluations (`mean`), or their exponential moving average over the steps (`ema`), "
        "which is then what dev evaluations measure.",
    )
    average: int = Field(
        default=3, ge=2, description="How many evaluations' weights `select: mean` averages; all, where there are less."
    )
    ema_decay: float = Field(
        default=0.99,
        gt=0,
        lt=1,
        description="Share of the average that a step keeps with `select: ema`; in the first steps less, "
        "(1 + step) / (10 + step).",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Stop after this many evaluations without a better dev nDCG@10; None: never. Refused without a dev "
        "split.",
    )
    dev_queries: int = Field(default=500, ge=1, description="Dev queries evaluated while training (the first by hash).")
    dev_documents: int = Field(
        default=4000,
        ge=1,
        description="Documents they are searched in: their positives and a sample of the corpus by hash.",
    )
    keep_checkpoints: bool = Field(default=False, description="Keep the checkpoints of a finished run.")
    report_to: Annotated[
        tuple[Tracker, ...], BeforeValidator(lambda one: one.split(",") if isinstance(one, str) else one)
    ] = Field(
        default=(),
        description="Experiment trackers that get the curves while it trains, each installed by its user; the log has "
        "them in any case. They decide nothing.",
    )

    @model_validator(mode="after")
    def _log_divides_eval(self) -> RunSettings:
        if self.eval_steps % self.log_steps:
            raise ValueError(
                f"log_steps ({self.log_steps}) must divide eval_steps ({self.eval_steps}): "
                "an evaluation would have no point of the loss curve beside it otherwise"
            )
        return self

    @model_validator(mode="after")
    def _can_stop(self) -> RunSettings:
        if self.select == "last" and self.patience is not None:
            raise ValueError(
                "patience: a run stops early because its last weights are not its best: `select` best, mean or ema, "
                "or leave patience out"
            )
        return self

    @property
    def without_effect(self) -> set[str]:
        """Settings of weights that are no single step's, where they are not asked for: they decide nothing."""
        return {name for name, asked in (("average", "mean"), ("ema_decay", "ema")) if self.select != asked}

    def decisive(self) -> dict[str, Any]:
        """The settings that decide the student, as JSON values."""
        return self.model_dump(mode="json", exclude={*self.without_effect, *TELLING})


def read(kind: type[Settings], path: Path | None, /, **overrides: object) -> Settings:
    """The settings of a YAML file (or the defaults), with those `overrides` that are not None on top.

    Raises:
        ConfigError: no such file, no mapping in it, an unknown setting, or an invalid value.
    """
    from rankdistill import plain_yaml

    settings = plain_yaml.read_settings(path, "training") if path is not None else {}
    settings |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}" for problem in error.errors()
        ]
        raise ConfigError(
            expected="valid training settings",
            got="; ".join(problems),
            consequence="nothing was trained",
            remedy=(
                f"settings are {', '.join(kind.model_fields)}"
                if any(problem["type"] == "extra_forbidden" for problem in error.errors())
                else "give each of these settings a value that it takes"
            ),
        ) from error


def require_no_test(tests: Sequence[str]) -> None:
    """Raise ConfigError where a checkpoint is to be chosen on these test splits: it would have seen them."""
    if tests:
        raise ConfigError(
            expected="dev splits",
            got=f"{', '.join(tests)}, a test split by its name",
            consequence="nothing was trained: a checkpoint chosen on it could not be tested on it any more",
            remedy="name a dev split, or allow it with --allow-test",
        )


def require_patience_to_count(config: RunSettings, is_evaluated: bool) -> None:
    """Raise ConfigError for `patience` in a run without a dev split, whose measure alone can end it early."""
    if config.patience is not None and not is_evaluated:
        raise ConfigError(
            expected="a dev split (dev_split, --dev-split) beside patience, whose nDCG@10 says when to stop",
            got=f"patience {config.patience}, and none",
            consequence="nothing was trained: every step would be done, whatever came of them",
            remedy="name a dev split, or leave patience out",
        )


def steps_of(config: RunSettings, rows: float, rows_a_step: int) -> int:
    """How many optimiser steps a run takes.

    Args:
        config: `steps`, where they are given.
        rows: what its passes take together.
        rows_a_step: of all processes.

    Raises:
        ConfigError: they are more than can be drawn.
    """
    taken = rows if config.steps is None else config.steps * rows_a_step
    if not taken <= MOST_ROWS:
        raise ConfigError(
            expected=f"passes or steps that take at most {MOST_ROWS:,} rows together",
            got=f"{taken:.3g} rows",
            consequence="nothing was trained: their order could not be drawn",
            remedy="give fewer passes or steps, or a smaller batch",
        )
    return config.steps or max(1, round(rows / rows_a_step))

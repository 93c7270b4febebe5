"""Every setting of a training run, typed and described. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rankdistill.errors import ConfigError

LossName = Literal["margin_mse", "margin_mse_all", "kl_div", "contrastive"]
Sampling = Literal["uniform", "stratified"]
Unlabelled = Literal["skip", "top"]
FewNegatives = Literal["skip", "repeat"]
Missing = Literal["error", "drop"]
Check = Literal["off", "warn", "refuse"]
Precision = Literal["auto", "float32", "bf16", "fp16"]
Schedule = Literal["linear", "cosine", "constant"]
Scale = Literal["auto", "learned"] | Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TrainConfig(BaseModel):
    """Settings of a training run; the same settings, data and student give the same student."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: LossName = Field("margin_mse", description="Objective; `contrastive` ignores the teacher (the baseline).")
    contrastive_weight: float = Field(
        0.0, ge=0, description="Weight of an in-batch contrastive term added to a distillation loss; 0: none."
    )
    scale: Scale = Field(
        "auto",
        description="Factor from the student's similarity to the teacher's unit: a number, `learned` (starts at the "
        "ratio of the teacher's to the student's margin deviation), or `auto`: learned for bounded similarities, "
        "else 1.",
    )
    scale_learning_rate: float = Field(1e-2, gt=0, description="Learning rate of a learned scale's logarithm.")
    contrastive_scale: float | None = Field(
        None, gt=0, description="Inverse temperature of contrastive terms; None: 20 for bounded similarities, else 1."
    )
    student_temperature: float = Field(1.0, gt=0, description="Softmax temperature of the student in kl_div.")
    teacher_temperature: float = Field(1.0, gt=0, description="Softmax temperature of the teacher in kl_div.")

    negatives: int = Field(4, ge=1, description="Negatives a row.")
    sampling: Sampling = Field(
        "stratified", description="How negatives are drawn: uniformly, or over 10 equal-width teacher-margin bins."
    )
    unlabelled: Unlabelled = Field(
        "skip",
        description="Queries without a labelled positive: skipped, or the teacher's top document is declared it.",
    )
    few_negatives: FewNegatives = Field(
        "skip", description="Queries with fewer candidates than negatives: skipped, or candidates are repeated."
    )
    missing: Missing = Field(
        "error", description="Candidates without a teacher score: an error, or dropped and counted."
    )
    min_margin: float | None = Field(
        None,
        description="Drop negatives (likely false) that the teacher puts less than this far below the positive, in the "
        "teacher's unit; None: keep all.",
    )
    check: Check = Field(
        "refuse",
        description="Scores that `rankdistill check` fails: refused; trained on, with the verdicts in the log (warn); "
        "or not looked at (off).",
    )

    steps: int | None = Field(None, ge=1, description="Optimiser steps; None: as many as `epochs` takes.")
    epochs: float = Field(1.0, gt=0, description="Passes over the (query, positive) rows, where `steps` is None.")
    batch_size: int = Field(32, ge=1, description="Rows a step on one device.")
    gradient_accumulation: int = Field(1, ge=1, description="Batches whose gradients are summed in one step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate of AdamW.")
    warmup: float = Field(0.06, ge=0, lt=1, description="Share of the steps in which the rate rises to its peak.")
    schedule: Schedule = Field("linear", description="How the rate falls after the warm-up.")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's decay, not on biases and norms.")
    max_gradient_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Rate everywhere in the student; above 0 it is slow on CPU.")
    seed: int = Field(13, ge=0, description="Seed of sampling, order and dropout.")
    precision: Precision = Field(
        "auto",
        description="auto: bf16 autocast where it is faster, fp16 on older GPUs, else float32.",
    )
    max_query_length: int | None = Field(None, ge=4, description="Query tokens in training; None: the model's limit.")
    max_document_length: int | None = Field(
        None, ge=4, description="Document tokens in training; None: the model's limit."
    )

    eval_steps: int = Field(100, ge=1, description="Steps between evaluations and checkpoints.")
    log_steps: int = Field(10, ge=1, description="Steps between points of the loss curve; divides eval_steps.")
    patience: int | None = Field(
        None, ge=1, description="Stop after this many evaluations without a better dev nDCG@10; None: never."
    )
    dev_queries: int = Field(500, ge=1, description="Dev queries evaluated while training (the first by hash).")
    dev_documents: int = Field(
        4000, ge=1, description="Documents they are searched in: their positives and a sample of the corpus by hash."
    )
    keep_checkpoints: bool = Field(False, description="Keep the checkpoints of a finished run.")

    @model_validator(mode="after")
    def _log_divides_eval(self) -> TrainConfig:
        if self.eval_steps % self.log_steps:
            raise ValueError(
                f"log_steps ({self.log_steps}) must divide eval_steps ({self.eval_steps}): "
                "a resumed run could not repeat the loss curve otherwise"
            )
        return self

    def decisive(self) -> dict[str, Any]:
        """The settings that decide the student, as JSON values: all but `check`, which decides whether there is one."""
        return self.model_dump(exclude={"check"})


def read(path: Path | None, **overrides: object) -> TrainConfig:
    """The settings in a YAML file (or the defaults), with those `overrides` that are not None on top.

    Raises:
        ConfigError: no such file, no mapping in it, an unknown setting, or an invalid value.
    """
    settings = _load_yaml(path) if path is not None else {}
    settings |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return TrainConfig.model_validate(settings)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}" for problem in error.errors()
        ]
        raise ConfigError(
            expected="valid training settings",
            got="; ".join(problems),
            consequence="nothing was trained",
            remedy=f"settings are {', '.join(TrainConfig.model_fields)}",
        ) from error


def _load_yaml(path: Path) -> dict[str, object]:
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(
            expected=f"training settings in {path}",
            got=str(error),
            consequence="nothing was trained",
            remedy="give a YAML file with one setting a line",
        ) from error
    if not isinstance(settings, dict):
        raise ConfigError(
            expected=f"one `setting: value` a line in {path}",
            got=type(settings).__name__,
            consequence="nothing was trained",
            remedy="give a YAML mapping",
        )
    return settings

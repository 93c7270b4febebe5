"""What a search may choose: settings of a recipe, each with its values. Loads no torch and no optuna."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from rankdistill import names, plain_yaml
from rankdistill.errors import ConfigError
from rankdistill.notes import note
from rankdistill.recipe.leaf.schema import STATIC, LeafRecipe
from rankdistill.recipe.loading import AnyRecipe
from rankdistill.recipe.parts import Part
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.verbs.settings import TrainConfig

if TYPE_CHECKING:
    from optuna.trial import Trial

LIST_WISE = ("kl_div", "pld", "pld_positive", "sinkd", "splade_v3", "tgeo")
"""Losses on scores that have a temperature of the teacher."""

SEARCHED = ("margin_mse", "margin_mse_all", "kl_div", "pld", "sinkd", "tgeo")
"""Losses on scores that are tried where no space is given; those that can be trained are taken of them."""


class Choice(Part):
    """A setting with a few values."""

    choices: list[Any] = Field(min_length=1, description="The values; the recipe's own is tried too.")
    when: dict[str, list[Any]] = Field(
        default_factory=dict, description="Only where these other settings have one of these values."
    )


class Range(Part):
    """A setting that is a number between two others."""

    low: float
    high: float
    log: bool = Field(False, description="Equal factors are as likely as one another, not equal differences.")
    whole: bool = Field(False, description="Whole numbers only.")
    when: dict[str, list[Any]] = Field(default_factory=dict, description="As of choices.")

    def could_hold(self, value: Any) -> bool:
        """Whether a wider range of this kind would hold it."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return (value > 0 or not self.log) and (not self.whole or float(value).is_integer())

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError("low must be a number below high")
        if self.log and self.low <= 0:
            raise ValueError("log: low must be above 0")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("whole: low and high must be whole numbers")
        return self


Space = dict[str, Choice | Range]
"""Dotted setting of the recipe -> what may be chosen. A setting of a `when` stands before those that ask for it."""


def read(path: Path) -> Space:
    """The space in a YAML file: `train.loss: [kl_div, pld]`, or `{low: 1e-5, high: 1e-3, log: true}`.

    Raises:
        ConfigError: no such file, or it is none.
    """
    content = plain_yaml.read_settings(path, "the search space of `rankdistill tune`")
    return parse(content, str(path))


def parse(content: Mapping[str, Any], place: str) -> Space:
    """The space of these settings; a list stands for its choices."""
    whole = {name: {"choices": one} if isinstance(one, list) else one for name, one in content.items()}
    adapter: TypeAdapter[Space] = TypeAdapter(Space)
    try:
        found = adapter.validate_python(whole)
    except ValidationError as error:
        raise _wrong(
            place, "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
        ) from error
    for number, (name, part) in enumerate(found.items()):
        if missing := [other for other in part.when if other not in list(found)[:number]]:
            raise _wrong(place, f"{name}: when names {missing[0]}, which does not stand before it")
    if not found:
        raise _wrong(place, "nothing to choose")
    return found


def default(recipe: AnyRecipe, layers: int | None) -> Space:
    """What is searched of a recipe where no space is given: losses, temperatures, layers, sampling, the rate.

    Args:
        recipe: with one student.
        layers: how many the model has that the student starts from; None where that is not known.
    """
    if isinstance(recipe, LeafRecipe):
        return parse(_of_vectors(recipe, layers), "the usual space")
    part = recipe if isinstance(recipe, Recipe) else recipe.of_scores
    config = part.train_config(next(iter(part.variants)))
    return parse(_of_scores(part, config, layers), "the usual space")


def _of_scores(part: Recipe, config: TrainConfig, layers: int | None) -> dict[str, Any]:
    searched = [name for name in SEARCHED if not config.compares_batches or names.has_in_batch_form(name)]
    losses = list(dict.fromkeys([config.loss, *searched]))
    found: dict[str, Any] = {}
    temperature = {"low": 0.02, "high": 4, "log": True}
    if config.has_two_heads:
        found["train.teacher_temperature"] = temperature
    elif not config.learns_from_labels:
        found["train.loss"] = losses
        if tempered := [name for name in losses if name in LIST_WISE]:
            found["train.teacher_temperature"] = {**temperature, "when": {"train.loss": tempered}}
    found["train.learning_rate"] = _around(config.learning_rate)
    found["train.sampling"] = ["stratified", "uniform"]
    few = sorted({max(1, config.negatives // 2), config.negatives, config.negatives * 2})
    most = part.mine.sample if isinstance(part.mine.sample, int) else part.mine.depth
    found["train.negatives"] = [count for count in few if count <= most]
    if config.compares_batches:
        found["train.in_batch_weight"] = [0.25, 0.75, 1.5]
    return found | _layers(part.student.keep_layers, layers)


def _of_vectors(recipe: LeafRecipe, layers: int | None) -> dict[str, Any]:
    (student,) = recipe.students.values()
    config = recipe.train_config(next(iter(recipe.trainings)))
    found: dict[str, Any] = {"train.loss": list(dict.fromkeys([config.loss, "leaf", "cosine"]))}
    found["train.extra"] = [{}, {"affinity": 0.1}, {"mi_alpha": 0.1}, {"lelp": 0.1}]
    found["train.learning_rate"] = _around(config.learning_rate)
    found["train.mixup"] = [0.0, 0.5]
    return found if student.model == STATIC else found | _layers(student.keep_layers, layers)


def _around(rate: float) -> dict[str, Any]:
    return {"low": rate / 4, "high": rate * 4, "log": True}


def _layers(kept: list[int] | None, count: int | None) -> dict[str, Any]:
    """As many layers as are kept, from elsewhere in the model: spread out, the first ones, the first and the last."""
    if kept is None or count is None or not len(kept) < count:
        return {}
    few = len(kept)
    spread = [round(place * (count - 1) / max(1, few - 1)) for place in range(few)]
    ends = [0, *range(count - few + 1, count)]
    found = [kept, spread, list(range(few)), ends, [0, *(one - 1 for one in spread[1:])]]
    different: list[list[int]] = []
    for one in found:
        if one not in different and sorted({*one}) == one:
            different.append(one)
    return {"student.keep_layers": different} if len(different) > 1 else {}


def with_own(space: Space, own: Mapping[str, Any]) -> Space:
    """The space whose choices and ranges hold the recipe's own values too, so that the first trial is the recipe."""
    found: Space = {}
    for name, part in space.items():
        if name in own and isinstance(part, Choice) and not any(_same(one, own[name]) for one in part.choices):
            part = part.model_copy(update={"choices": [own[name], *part.choices]})
        elif name in own and isinstance(part, Range) and part.could_hold(own[name]):
            ends = {"low": min(part.low, own[name]), "high": max(part.high, own[name])}
            if ends != {"low": part.low, "high": part.high}:
                wider = f"{ends['low']:g} to {ends['high']:g}"
                note(f"{name}: the recipe's own {own[name]:g} is tried too, so the range is {wider}")
            part = part.model_copy(update=ends)
        found[name] = part
    return found


def lacking(space: Space, own: Mapping[str, Any]) -> list[str]:
    """The settings whose own value in the recipe no trial can have, so that the first trial is not the recipe."""
    first = start(space, own)
    return [
        name
        for name, part in space.items()
        if name not in first and all(own.get(other) in values for other, values in part.when.items())
    ]


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """The values of one trial: dotted setting -> value; settings whose `when` does not hold are left out."""
    chosen: dict[str, Any] = {}
    for name, part in space.items():
        if not all(chosen.get(other) in values for other, values in part.when.items()):
            continue
        if isinstance(part, Choice):
            chosen[name] = decoded(trial.suggest_categorical(name, [encoded(value) for value in part.choices]))
        elif part.whole:
            chosen[name] = trial.suggest_int(name, round(part.low), round(part.high), log=part.log)
        else:
            chosen[name] = trial.suggest_float(name, part.low, part.high, log=part.log)
    return chosen


def start(space: Space, own: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's own values as a trial has them; those outside of a range are left to the search."""
    found: dict[str, Any] = {}
    for name, part in space.items():
        if name not in own or not all(own.get(other) in values for other, values in part.when.items()):
            continue
        if isinstance(part, Choice):
            found[name] = next(encoded(one) for one in part.choices if _same(one, own[name]))
        elif part.could_hold(own[name]) and part.low <= own[name] <= part.high:
            found[name] = own[name]
    return found


def _same(one: Any, other: Any) -> bool:
    """Whether two choices are one setting: 0 and 0.0 are, 1 and true are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def encoded(value: Any) -> str:
    """A choice as a word that a study keeps."""
    return json.dumps(value, sort_keys=True)


def decoded(word: Any) -> Any:
    """The value of a parameter as a study keeps it."""
    return json.loads(word) if isinstance(word, str) else word


def _wrong(place: str, got: str) -> ConfigError:
    return ConfigError(
        expected="a search space: dotted settings of the recipe, each with a list of values, or with low and high",
        got=f"{place}: {got}",
        consequence="nothing was run",
        remedy="such as `train.loss: [kl_div, pld]` and `train.learning_rate: {low: 1e-5, high: 1e-3, log: true}`",
    )

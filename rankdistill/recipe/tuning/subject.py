"""The recipe that is searched: one student of it, with settings that a trial changes, and the steps that judge it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.recipe.leaf.experiment import LeafExperiment
from rankdistill.recipe.leaf.schema import LeafRecipe
from rankdistill.recipe.leaf.systems import Systems as LeafSystems
from rankdistill.recipe.leaf.systems import asymmetric
from rankdistill.recipe.loading import AnyRecipe, parse
from rankdistill.recipe.run import as_given, plan
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.scores.systems import Systems
from rankdistill.recipe.staged.experiment import StagedExperiment
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.recipe.steps import Step

QUARTERS = 4
"""How often a trial is looked at on dev, where the recipe's own `eval_steps` does so once or never."""


@dataclass(frozen=True)
class Subject:
    """One student of a recipe.

    Args:
        content: the settings of the recipe, with that student alone.
        student: its name.
        command: the command line, for manifests.
    """

    content: Mapping[str, Any]
    student: str
    command: str = ""

    @classmethod
    def of(cls, recipe: AnyRecipe, student: str | None, out: Path, watched: bool, command: str = "") -> Subject:
        """One student of `recipe`, in a folder of its own.

        Args:
            recipe: as it was read.
            student: which; the first unless given.
            out: the folder.
            watched: whether trials are to be judged on their way; see `QUARTERS`.
            command: the command line.

        Raises:
            ConfigError: no such student, or no dev split to choose on.
        """
        content = copy.deepcopy(as_given(recipe)) | {"out": str(out)}
        known: Mapping[str, Any] = recipe.students if isinstance(recipe, LeafRecipe) else recipe.variants
        name = next(iter(known)) if student is None else student
        if name not in known:
            raise ConfigError(
                expected=f"a student of the recipe: {', '.join(known)}",
                got=repr(name),
                consequence="nothing was run",
                remedy="name one of those, or leave it out: the first is searched",
            )
        _leave(content, recipe, name)
        found = cls(content, name, command)
        if watched:
            found = found._watched()
        found._require_dev()
        return found

    @cached_property
    def recipe(self) -> AnyRecipe:
        """The recipe as it is."""
        return parse(self.content, self.recipe_name, [])

    @property
    def recipe_name(self) -> str:
        """What it is called."""
        return str(self.content.get("name", "the recipe"))

    def changed(self, settings: Mapping[str, Any]) -> Subject:
        """The same with these settings, dotted name -> value.

        Raises:
            ConfigError: there is no such setting, or no such value.
        """
        content = copy.deepcopy(dict(self.content))
        for name, value in settings.items():
            _put(content, self._place(name), value)
        return replace(self, content=content)

    def own(self, names: Iterable[str]) -> dict[str, Any]:
        """The values that the recipe has of these settings, defaults too; those that it lacks are left out."""
        found = {}
        for name in names:
            value: Any = self.recipe.model_dump(mode="json")
            for key in self._place(name):
                if not isinstance(value, dict) or key not in value:
                    break
                value = value[key]
            else:
                found[name] = value
        return found

    def steps(self) -> tuple[list[Step], list[Step]]:
        """(all that are needed to judge the student on dev, each after those it needs; those that judge it)."""
        judging = self._judging()
        first = judging[0].root
        needed = {step.folder: step for one in judging for step in _closure(one)}
        planned = [step for step in plan(self._untimed, self.command).steps() if step.root == first]
        beside = {step.folder for step in planned if step.name == "embeddings"}  # read where they are, not asked for
        ordered = [step for step in planned if step.folder in needed.keys() | beside]
        known = {step.folder for step in ordered}
        return [*ordered, *(step for folder, step in needed.items() if folder not in known)], judging

    def first_trained(self, steps: Sequence[Step]) -> Step:
        """Of the steps, the first that trains the student, which says on the way how it does."""
        return next(step for step in steps if step.name.startswith("student-"))

    @cached_property
    def _untimed(self) -> AnyRecipe:
        """The recipe without what is timed, which decides nothing here."""
        content = copy.deepcopy(dict(self.content))
        _put(content, ["evaluate", "latency_queries"], 0)
        return parse(content, self.recipe_name, [])

    def _judging(self) -> list[Step]:
        recipe = self._untimed
        if isinstance(recipe, LeafRecipe):
            systems = LeafSystems(LeafExperiment(recipe, self.command))
            found = [systems.evaluations(name, part.dev) for name, part in recipe.data.items() if part.dev]
            return [steps[asymmetric(name)] for steps in found for name in recipe.trainings]
        steps = Systems(self._scored(recipe)).evaluations(recipe.data.dev or "")
        return [steps[name] for name in recipe.trainings]

    def _scored(self, recipe: Recipe | StagedRecipe) -> Experiment:
        if isinstance(recipe, StagedRecipe):
            return StagedExperiment(recipe, self.command).scored
        return Experiment(recipe, self.command)

    def _place(self, name: str) -> list[str]:
        """The keys of a dotted setting; `student.` of a recipe on embeddings is that of its one student."""
        keys = name.split(".")
        if "students" in self.content and keys[0] == "student":
            return ["students", self.student, *keys[1:]]
        return keys

    def _watched(self) -> Subject:
        recipe = self.recipe
        config = recipe.train_config(next(iter(recipe.trainings)))
        if config.steps is None or config.steps < 2 * QUARTERS or config.eval_steps <= config.steps // 2:
            return self
        every = config.steps // QUARTERS
        settings = {"train.eval_steps": every}
        if every % config.log_steps:
            settings["train.log_steps"] = every
        return self.changed(settings)

    def _require_dev(self) -> None:
        recipe = self.recipe
        there = any(part.dev for part in recipe.data.values()) if isinstance(recipe, LeafRecipe) else recipe.data.dev
        if not there:
            raise ConfigError(
                expected="a recipe with a dev split, on which every choice is made",
                got=f"{self.recipe_name}: data.dev is null",
                consequence="nothing was run: a test split is never chosen on",
                remedy="name data.dev; data.hold_out puts queries aside for one",
            )


def _leave(content: dict[str, Any], recipe: AnyRecipe, name: str) -> None:
    """Leave one student of the recipe, whose own settings of training become those of `train`."""
    if isinstance(recipe, LeafRecipe):
        part = dict(content.get("students", {}).get(name, {}))
        content["train"] = content.get("train", {}) | part.pop("train", {})
        content["students"] = {name: part}
        return
    part = content.get("variants", {}).get(name, {})
    own = part.get("train", {}) if isinstance(recipe, StagedRecipe) else part
    content["train"] = content.get("train", {}) | own
    start = {"start": part["start"]} if isinstance(recipe, StagedRecipe) and "start" in part else {}
    content["variants"] = {name: start}
    if content.get("baseline") in set(recipe.variants) - {name}:
        del content["baseline"]


def _put(content: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ConfigError(
                expected=f"{key!r} to hold settings",
                got=f"{'.'.join(keys)}, but {key!r} is a value",
                consequence="nothing was run",
                remedy="`rankdistill run --schema` prints every setting",
            )
    content[keys[-1]] = value


def _closure(step: Step) -> list[Step]:
    """The steps that a step needs, each after those it needs, and itself."""
    found: dict[Path, Step] = {}

    def add(one: Step) -> None:
        if one.folder not in found:
            for other in one.needs:
                add(other)
            found[one.folder] = one

    add(step)
    return list(found.values())

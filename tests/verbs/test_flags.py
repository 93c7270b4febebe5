"""A verb's arguments, the flags of the command line and the fields of recipes say the same.

What one of them lacks, or has under another name, is named here with the reason, so that a forgotten one cannot be silent.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from rankdistill.cli.main import VERBS, build_app
from rankdistill.recipe.leaf.schema import BundlePart, LeafEvaluatePart, LeafStudentPart, LeafTeacherPart, TextsPart
from rankdistill.recipe.parts import SourcePart
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.recipe.scores.schema import EvaluatePart, ScorePart, StudentPart, TeacherPart
from rankdistill.verbs.settings import AlignConfig, IndexRecipe, TeachConfig, TrainConfig

COMMANDS = get_command(build_app()).commands  # type: ignore[attr-defined]

NOT_ONE_VERB = {"data", "run", "status", "doctor"}
"""`data` is a group of its own, `run` and `status` read recipes too, `doctor` looks at the machine: tested by themselves."""

GIVEN_BY_THE_COMMAND = {"progress", "command"}

RENAMED = {
    "mine": {"source": "sources"},
    "check": {"teacher": "teachers"},
    "export": {"source": "sources"},
    "import": {"input": "inputs", "as": "as_"},
    "index": {"search": "search_parameters", "parameter": "build_parameters"},
    "search": {"query": "queries", "parameter": "search_parameters"},
    "evaluate": {"parameter": "search_parameters", "model": "system"},
    "explain": {"text": "texts", "as": "as_"},
    "train": {"dev_data": "data", "embeddings": "store"},
}
"""Verb -> flag -> argument: a flag that may be repeated has a list as its argument, and two flags may name the two
kinds of thing that one argument takes."""

FLAGS_ALONE = {
    "train": {"no_check": "the setting `check: warn`"},
}
"""Verb -> flag -> why no argument has its name."""

CONFIGS: dict[str, tuple[type[BaseModel], ...]] = {"teach": (TeachConfig,), "train": (TrainConfig, AlignConfig)}
"""Verb -> the settings that it takes as keywords, and the command in `--config`."""


def verb(name: str) -> Callable[..., Any]:
    """The function of a verb, by its name on the command line."""
    name = {"import": "import_scores"}.get(name, name.replace("-", "_"))
    return getattr(importlib.import_module(f"rankdistill.verbs.{name}"), name)  # type: ignore[no-any-return]


def arguments(name: str) -> dict[str, inspect.Parameter]:
    """A verb's arguments but for `**settings`."""
    found = inspect.signature(verb(name)).parameters
    return {one: parameter for one, parameter in found.items() if parameter.kind is not parameter.VAR_KEYWORD}


def flags(name: str) -> dict[str, Any]:
    """A command's flags, by the name of the argument that each gives."""
    renamed = RENAMED.get(name, {})
    return {renamed.get(one.name.rstrip("_"), one.name.rstrip("_")): one for one in COMMANDS[name].params}


def settings(name: str) -> set[str]:
    """The settings that a verb takes as keywords."""
    return {field for config in CONFIGS.get(name, ()) for field in config.model_fields}


CHECKED = [name for name in VERBS if name not in NOT_ONE_VERB]


@pytest.mark.parametrize("name", CHECKED)
def test_every_argument_has_a_flag_and_every_flag_an_argument(name: str) -> None:
    alone, given = FLAGS_ALONE.get(name, {}), flags(name)
    assert set(arguments(name)) - GIVEN_BY_THE_COMMAND - set(given) == set(), "arguments without a flag"
    assert set(given) - set(arguments(name)) - settings(name) - {"json"} - set(alone) == set(), "flags without effect"
    assert set(alone) <= set(given), "an exception that is none any more"


@pytest.mark.parametrize("name", CHECKED)
def test_what_prints_a_result_prints_it_as_json(name: str) -> None:
    assert "json" in flags(name)


@pytest.mark.parametrize("name", CHECKED)
def test_an_argument_and_its_flag_have_one_default(name: str) -> None:
    given = flags(name)
    for one, parameter in arguments(name).items():
        if one in given and parameter.default is not parameter.empty and not given[one].required:
            assert _plain(given[one].default) == _plain(parameter.default), one


def _plain(value: Any) -> Any:
    """A default without the form that Python or Typer want: nothing given is None, a list a tuple, a choice its word."""
    value = value() if callable(value) else value
    if value in ([], (), "", {}):
        return None
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return getattr(value, "value", value)


@pytest.mark.parametrize("name", CONFIGS)
def test_settings_of_a_config_are_keywords_and_no_argument_hides_one(name: str) -> None:
    assert any(one.kind is one.VAR_KEYWORD for one in inspect.signature(verb(name)).parameters.values())
    assert "config" in arguments(name)
    hidden = settings(name) & set(arguments(name))
    assert hidden <= {"missing"}, "missing is an ensemble's policy where there is one, see the verb"


PARTS: list[tuple[type[BaseModel], str, dict[str, str], dict[str, str]]] = [
    (MinePart, "mine", {}, {"split": "data.train", "lenient": "data", "ignore_identical_ids": "data"}),
    (
        ScorePart,
        "score",
        {},
        {
            "kind": "teacher.kind",
            "name": "the model's name is kept",
            "executor": "one process runs a recipe",
            "workers": "likewise",
            "shard": "likewise",
            "lock_wait": "likewise",
            "lenient": "data",
        },
    ),
    (
        IndexRecipe,
        "index",
        {},
        {
            "recipe": "this is it",
            "kind": "the student's type",
            "max_length": "the student's own",
            "backend": "the fastest exact one",
            "snippets": "the usual ones",
            "threads": "one, so that graphs are the same",
            "executor": "one process runs a recipe",
            "workers": "likewise",
            "lenient": "data",
        },
    ),
    (
        TextsPart,
        "embed",
        {"files": "texts"},
        {
            "judged": "the collections with embed: false",
            "query_prompt": "teacher",
            "document_prompt": "teacher",
            "dtype": "teacher",
            "backend": "teacher",
            "max_length": "teacher",
            "name": "the model's name is kept",
            "plan": "a recipe does it",
            "sample": "of plan",
            "executor": "one process runs a recipe",
            "workers": "likewise",
            "shard": "likewise",
            "unit_size": "the usual one",
            "lenient": "data",
            "lock_wait": "one process runs a recipe",
            "min_fidelity": "the usual one",
        },
    ),
    (BundlePart, "bundle", {"make": ""}, {"unaligned": "a student and its teacher are aligned"}),
    (
        StudentPart,
        "train",
        {"model": "student"},
        {
            "split": "data.train",
            "dev_split": "data.dev",
            "teacher": "a recipe has one",
            "teachers": "likewise",
            "calibrate": "likewise",
            "missing": "train",
            "weights": "likewise",
            "reference": "likewise",
            "allow_test": "never",
            "lenient": "data",
            "ignore_identical_ids": "data",
            "config": "train",
        },
    ),
]
"""Part of a recipe -> its verb, fields with another name (none: no argument), and arguments that a recipe says elsewhere."""


@pytest.mark.parametrize(
    ("part", "name", "renamed", "elsewhere"), PARTS, ids=lambda one: getattr(one, "__name__", None)
)
def test_a_recipe_says_all_that_its_verb_takes(
    part: type[BaseModel], name: str, renamed: dict[str, str], elsewhere: dict[str, str]
) -> None:
    fields = {renamed.get(field, field) for field in part.model_fields} - {""}
    optional = {one for one, found in arguments(name).items() if found.kind is found.KEYWORD_ONLY} | {"sources"}
    wanted = (optional if name == "mine" else {*optional, *(fields & set(arguments(name)))}) - GIVEN_BY_THE_COMMAND
    assert fields - set(arguments(name)) == set(), "fields without effect"
    assert wanted - fields - set(elsewhere) == set(), "arguments that no recipe can give"
    assert set(elsewhere) <= set(arguments(name)) - fields, "an exception that is none any more"


def test_a_recipe_and_its_verb_have_one_default() -> None:
    for part, name, renamed, _ in PARTS:
        given = arguments(name)
        for field, info in part.model_fields.items():
            parameter = given.get(renamed.get(field, field))
            if parameter is not None and parameter.default is not parameter.empty and not info.is_required():
                default = info.get_default(call_default_factory=True)
                assert _plain(default) == _plain(parameter.default), f"{part.__name__}.{field}"


def test_the_other_parts_of_recipes_are_arguments_too() -> None:
    """Parts that several verbs share, or that name what a verb works on."""
    evaluated = arguments("evaluate")
    assert {"latency_queries", "rerank_depth"} == set(EvaluatePart.model_fields)
    assert {"latency_queries"} == set(LeafEvaluatePart.model_fields)
    assert {"latency", "rerank_depth"} <= set(evaluated)
    assert set(TeacherPart.model_fields) == {"model", "kind", "base", "teach"}
    assert {"kind", "teacher"} <= set(arguments("score"))
    assert {"base", "config"} <= set(arguments("teach"))
    assert set(LeafTeacherPart.model_fields) - {"model"} <= set(arguments("embed"))
    assert set(LeafStudentPart.model_fields) == {"model", "keep_layers", "train"}
    assert set(SourcePart.model_fields) - {"source", "limit"} <= set(arguments("mine"))

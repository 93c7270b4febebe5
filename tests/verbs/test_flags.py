"""A verb's arguments, the flags of the command line and the fields of recipes say the same.

What one of them lacks, or has under another name, is named here with the reason: a forgotten one cannot be silent.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel
from typer.main import get_command

import rankdistill
from rankdistill.cli.main import VERBS, build_app
from rankdistill.recipe.leaf.schema import BundlePart, LeafEvaluatePart, LeafStudentPart, LeafTeacherPart, TextsPart
from rankdistill.recipe.parts import SourcePart
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.recipe.scores.queries import QueriesPart
from rankdistill.recipe.scores.schema import EvaluatePart, ScorePart, StudentPart, TeacherPart
from rankdistill.verbs.settings import AlignConfig, IndexRecipe, TeachConfig, TrainConfig

COMMANDS = get_command(build_app()).commands  # type: ignore[attr-defined]

NOT_ONE_VERB = {"data", "run", "status", "doctor"}
"""A group, two that read recipes too, and one that looks at the machine: tested by themselves."""

OF_RECIPES = {"distill", "init", "reproduce", "tune"}
"""Verbs that are above the others, beside `run`."""

GIVEN_BY_THE_COMMAND = {"progress", "command", "started"}

RENAMED = {
    "mine": {"source": "sources"},
    "queries": {"generator": "generators"},
    "check": {"teacher": "teachers"},
    "export": {"source": "sources"},
    "import": {"input": "inputs", "as": "as_"},
    "index": {"field": "fields", "search": "search_parameters", "parameter": "build_parameters"},
    "search": {"query": "queries", "parameter": "search_parameters"},
    "evaluate": {"parameter": "search_parameters", "model": "system"},
    "serve": {"bundle": "model", "index": "indexes", "model": "models", "parameter": "search_parameters"},
    "explain": {"text": "texts", "as": "as_"},
    "push": {"parameter": "parameters"},
    "train": {"dev_data": "data", "embeddings": "store"},
    "rewrite": {"split": "splits"},
    "distill": {"set": "overrides", "from": "from_"},
    "tune": {"set": "overrides"},
}
"""Verb -> flag -> argument: a flag that may be repeated has a list as its argument, and two flags may name the two
kinds of thing that one argument takes."""

FLAGS_ALONE = {
    "train": {"no_check": "the setting `check: warn`"},
}
"""Verb -> flag -> why no argument has its name."""

OF_SESSIONS = (
    *("sessions", "rewrites", "reads", "missing_rewrites", "ranks"),
    *("sample", "index", "standalone", "work"),
)
"""What `train` takes beside sessions alone."""

CONFIGS: dict[str, tuple[type, ...]] = {"teach": (TeachConfig,), "train": (TrainConfig, AlignConfig)}
"""Verb -> the settings that it takes as keywords, and the command in `--config`."""


def verb(name: str) -> Callable[..., Any]:
    """The function of a verb, by its name on the command line."""
    package = "rankdistill.recipe" if name in OF_RECIPES else "rankdistill.verbs"
    name = {"import": "import_scores", "list": "artefacts"}.get(name, name.replace("-", "_"))
    return getattr(importlib.import_module(f"{package}.{name}"), name)  # type: ignore[no-any-return]


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
    return {field for config in CONFIGS.get(name, ()) for field in _fields(config)}


def _fields(config: type) -> list[str]:
    """The names of a config's settings."""
    return [*config.model_fields] if issubclass(config, BaseModel) else [one.name for one in dataclasses.fields(config)]


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
    """A default without the form that Python or Typer want: nothing is None, a list a tuple, a choice its word."""
    value = value() if callable(value) else value
    if isinstance(value, str) and "," in value:
        value = tuple(value.split(","))
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


@pytest.mark.parametrize("name", list(COMMANDS["data"].commands))
def test_a_verb_of_collections_and_its_flags_say_the_same(name: str) -> None:
    """Those are verbs of one module, and flags of a group."""
    function = getattr(importlib.import_module("rankdistill.verbs.data"), name.replace("-", "_"))
    known = inspect.signature(function).parameters
    given = {one.name: one for one in COMMANDS["data"].commands[name].params}
    assert set(known) - GIVEN_BY_THE_COMMAND == set(given) - {"json"} - ({"lenient"} if name == "check" else set())
    for one, parameter in known.items():
        if one in given and parameter.default is not parameter.empty and not given[one].required:
            assert _plain(given[one].default) == _plain(parameter.default), one


class Called(Exception):  # noqa: N818 - no error
    """Stands for the verb's work."""


VALUES = {
    "dimensions": "32,16",
    "document_terms": "5,6",
    "filter": "{}",
    "keep_layers": "0,1",
    "parameter": "one=2",
    "precisions": "int8",
    "query_terms": "5,6",
    "search": "one=2",
    "sample": "3",
    "thresholds": "0.25,0.5",
    "weights": "0.25,0.75",
}
"""Flag -> words that it can parse, where any word will not do."""


def _words(flag: Any, type_: Any) -> list[str]:
    """The flag with another value than its default; `--no-...` where that is what differs."""
    if flag.is_flag:
        return [(flag.secondary_opts or flag.opts)[0] if flag.default is True else flag.opts[0]]
    if flag.name.rstrip("_") in VALUES:
        return [flag.opts[0], VALUES[flag.name.rstrip("_")]]
    for kind in (type_, *get_args(type_)):
        if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
            choices = get_args(kind) or [one.value for one in kind]
            return [flag.opts[0], next(one for one in choices if one != _plain(flag.default))]
    if {int, float} & {type_, *get_args(type_)}:
        return [flag.opts[0], "0.5" if float in (type_, *get_args(type_)) else "9"]
    return [flag.opts[0], "a"]


@pytest.mark.parametrize("name", CHECKED)
def test_every_flag_reaches_the_verb(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, given, known = verb(name), flags(name), set(arguments(name))
    command = importlib.import_module(f"rankdistill.cli.{_module(name)}")
    types = get_type_hints(getattr(command, _module(name)))
    seen: dict[str, Any] = {}

    def record(*values: Any, **named: Any) -> None:
        seen.clear()
        seen.update(inspect.signature(function).bind(*values, **named).arguments)
        raise Called

    module = importlib.import_module(function.__module__)
    if function.__name__ in rankdistill.__all__:  # first: it is looked up in the module
        monkeypatch.setattr(rankdistill, function.__name__, record)
    monkeypatch.setattr(module, function.__name__, record)
    for opener in ("score_store_of", "embedding_store_of"):
        monkeypatch.setattr(f"rankdistill.verbs.arguments.{opener}", lambda place: place)

    def run(*words: str) -> dict[str, Any]:
        with pytest.raises(Called):
            COMMANDS[name].main([*words], prog_name=name, standalone_mode=False)
        return dict(seen)

    needed = [word for one in COMMANDS[name].params if one.required for word in _required(one)]
    for argument, flag in given.items():
        if flag.required or flag.name == "json" or flag.param_type_name == "argument":
            continue
        if name == "train" and flag.name in ("store", "data", "embeddings", "sessions"):
            continue  # one of three ways, below
        besides = _besides(name, flag.name.rstrip("_"))
        before, after = run(*needed, *besides), run(*needed, *besides, *_words(flag, types[flag.name]))
        where = argument if argument in known else "settings"
        changed = {one for one in {*before, *after} if before.get(one) != after.get(one)}
        assert where in changed, f"{flag.opts[0]} of {name} does not reach {where}: {changed}"


def test_train_takes_a_store_and_data_or_embeddings_or_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        rankdistill, "train", lambda *values, **named: seen.update(values=values, named=named) or _stop()
    )
    for opener in ("score_store_of", "embedding_store_of"):
        monkeypatch.setattr(f"rankdistill.verbs.arguments.{opener}", lambda place, opener=opener: (opener, str(place)))
    for words, data, store in (
        (["--store", "s", "--data", "d"], "d", ("score_store_of", "s")),
        (
            ["--embeddings", "e", "--dev-data", "d", "--dev-split", "dev"],
            "[PosixPath('d')]",
            ("embedding_store_of", "e"),
        ),
        (["--sessions", "s", "--data", "d"], "d", None),
    ):
        with pytest.raises(Called):
            COMMANDS["train"].main(["--student", "m", "--out", "o", *words], prog_name="train", standalone_mode=False)
        assert (str(seen["values"][0]), seen["values"][1]) == (data, store)
        assert (str(seen["named"]["sessions"]) == "s") == (store is None)


def _stop() -> None:
    raise Called


def _module(name: str) -> str:
    return "import_" if name == "import" else name.replace("-", "_")


def _required(flag: Any) -> list[str]:
    word = VALUES.get(flag.name.rstrip("_"), "a")
    return [word] if flag.param_type_name == "argument" else [flag.opts[0], word]


def _besides(name: str, flag: str) -> list[str]:
    """Flags without which the command refuses this one."""
    if name == "train":
        of_vectors, of_scores = ["--embeddings", "a"], ["--store", "a", "--data", "a"]
        if flag in OF_SESSIONS:
            return ["--sessions", "a"]
        return of_vectors if flag in ("dev_data", "cycles") else of_scores
    return []


PARTS: list[tuple[type[BaseModel], str, dict[str, str], dict[str, str]]] = [
    (MinePart, "mine", {}, {"split": "data.train", "lenient": "data", "ignore_identical_ids": "data"}),
    (
        QueriesPart,
        "queries",
        {},
        {
            "split": "data.train",
            "unjudged": "data.train",
            "cache": "a step keeps what a stopped run has",
            "unit_size": "the usual one",
            "lenient": "data",
        },
    ),
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
            "embeddings": "the run's own",
            "snippets": "the usual ones",
            "fields": "of a corpus; nothing that a recipe measures is filtered",
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
            "combine": "likewise",
            **dict.fromkeys(OF_SESSIONS, "a recipe's queries are no conversations"),
            "allow_test": "never",
            "lenient": "data",
            "ignore_identical_ids": "data",
            "config": "train",
        },
    ),
]
"""Part of a recipe -> its verb, fields with another name (none: no argument), and arguments said elsewhere."""


@pytest.mark.parametrize(
    ("part", "name", "renamed", "elsewhere"), PARTS, ids=lambda one: getattr(one, "__name__", None)
)
def test_a_recipe_says_all_that_its_verb_takes(
    part: type[BaseModel], name: str, renamed: dict[str, str], elsewhere: dict[str, str]
) -> None:
    fields = {renamed.get(field, field) for field in part.model_fields} - {""}
    wanted = {one for one, found in arguments(name).items() if found.default is not found.empty} - GIVEN_BY_THE_COMMAND
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
    assert {"latency_queries", "bm25"} == set(LeafEvaluatePart.model_fields)
    assert {"latency", "rerank_depth"} <= set(evaluated)
    judged = {"candidates", "choose", "dev_depth", "dev_queries"}
    assert set(TeacherPart.model_fields) == {"model", "kind", "base", "teach", "allow_worse"} | judged
    assert {"kind", "teacher"} <= set(arguments("score"))
    assert {"base", "config", "allow_worse"} <= set(arguments("teach"))
    assert set(LeafTeacherPart.model_fields) - {"model"} <= set(arguments("embed"))
    form = {"keep_layers", "vocabulary", "storage", "max_mb"}
    assert set(LeafStudentPart.model_fields) == {"model", "train"} | form
    assert form <= set(arguments("train"))
    assert set(SourcePart.model_fields) - {"source", "limit"} <= set(arguments("mine"))

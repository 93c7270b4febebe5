"""Reading a recipe from YAML, with `a.b=c` overrides, and its JSON Schema."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from rankdistill import plain_yaml
from rankdistill.errors import ConfigError
from rankdistill.recipe.leaf.schema import LeafRecipe
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.staged.schema import StagedRecipe

AnyRecipe: TypeAlias = Recipe | LeafRecipe | StagedRecipe

Wanted = TypeVar("Wanted", Recipe, LeafRecipe, StagedRecipe)

SHIPPED = Path(__file__).parent / "shipped"
"""The recipes that come with the package; `recipes/` of the repository shows them."""

KINDS: dict[str, type[AnyRecipe]] = {"scores": Recipe, "leaf": LeafRecipe, "staged": StagedRecipe}
"""What a recipe's `kind` may be -> its settings; a recipe without one is of the first."""


def load(path: str | Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """The recipe in the YAML file `path`, changed by `overrides` such as `train.steps=200`.

    A bare name is that of a recipe of the package (`SHIPPED`), such as `quickstart`.

    Raises:
        ConfigError: no such file, broken YAML, an unknown setting, or an invalid value; the message names it.
    """
    found = plain_yaml.shipped(Path(path), SHIPPED)
    return parse(_read(found), str(path), overrides)


def parse(settings: Mapping[str, Any], place: str, overrides: Sequence[str] = ()) -> AnyRecipe:
    """The recipe with these settings, changed by `overrides`; `place` says where they stand.

    Raises:
        ConfigError: an unknown setting, or an invalid value; the message names it.
    """
    content = copy.deepcopy(dict(settings))
    for override in overrides:
        _apply(content, override)
    try:
        return _kind_of(content, place).model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'recipe'}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(
            expected="a valid recipe",
            got=f"{place}: {problems}",
            consequence="nothing was run",
            remedy="`rankdistill run --schema` prints every setting and its meaning",
        ) from error


def expect(recipe: AnyRecipe, kind: type[Wanted]) -> Wanted:
    """`recipe`, which must be of `kind`; raises ConfigError otherwise."""
    if isinstance(recipe, kind):
        return recipe
    raise ConfigError(
        expected=f"a recipe of kind {next(name for name, one in KINDS.items() if one is kind)}",
        got=f"{recipe.name} of kind {recipe.kind}",
        consequence="nothing was run",
        remedy="name another recipe",
    )


def json_schema() -> str:
    """The JSON Schema of a recipe of any kind, for editors and validators."""
    schema: TypeAdapter[AnyRecipe] = TypeAdapter(AnyRecipe)
    return json.dumps(schema.json_schema(), indent=1) + "\n"


def _names() -> str:
    return ", ".join(plain_yaml.shipped_names(SHIPPED))


def _kind_of(content: Mapping[str, Any], place: str) -> type[AnyRecipe]:
    named = content.get("kind", next(iter(KINDS)))
    if not isinstance(named, str) or named not in KINDS:
        raise ConfigError(
            expected=f"a recipe of a kind that there is: {', '.join(KINDS)}",
            got=f"{place}: kind {named!r}",
            consequence="nothing was run",
            remedy="leave `kind` out for a student of scores, write `kind: leaf` for one of embeddings, or "
            "`kind: staged` for one of both",
        )
    return KINDS[named]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = plain_yaml.read(path)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(
            expected="a recipe in YAML",
            got=f"{path}: {' '.join(str(error).split())}",
            consequence="nothing was run",
            remedy=f"give the path of a recipe, or the name of one that comes with the package: {_names()} (or to "
            "`status` the folder of a store or another artefact)",
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            expected="a mapping of settings",
            got=f"{path}: {type(content).__name__}",
            consequence="nothing was run",
            remedy=f"start from one that comes with the package: {_names()}",
        )
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    keys = name.split(".")
    if not equals or not all(keys):
        raise ConfigError(
            expected="an override of the form a.b=value",
            got=repr(override),
            consequence="nothing was run",
            remedy="such as --set train.steps=200",
        )
    for key in keys[:-1]:
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ConfigError(
                expected=f"{key!r} to hold settings",
                got=f"the override {override!r}, but {key!r} is a value",
                consequence="nothing was run",
                remedy="`rankdistill run --schema` prints every setting",
            )
    try:
        content[keys[-1]] = plain_yaml.load(value)
    except yaml.YAMLError as error:
        raise ConfigError(
            expected=f"a value in YAML for {name}",
            got=f"{override!r}: {' '.join(str(error).split())}",
            consequence="nothing was run",
            remedy="quote a text that holds signs of YAML",
        ) from error

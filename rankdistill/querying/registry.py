"""Generators by what a user writes: `embedded`, `seq2seq:MODEL`, or a YAML file with a kind and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from rankdistill import plain_yaml
from rankdistill.errors import ConfigError
from rankdistill.models import resolve
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Generator

KINDS = {
    "embedded": "rankdistill.querying.embedded",
    "titles": "rankdistill.querying.titles",
    "headings": "rankdistill.querying.headings",
    "first_sentences": "rankdistill.querying.first_sentences",
    "spans": "rankdistill.querying.spans",
    "keywords": "rankdistill.querying.keywords",
    "seq2seq": "rankdistill.querying.seq2seq",
    "causal": "rankdistill.querying.causal",
    "openai": "rankdistill.querying.openai",
}
"""Kind -> module with `Settings`, a pydantic model, and `load(settings, corpus) -> Generator`."""

DEFAULT = "embedded"

YAML_SUFFIXES = {".yaml", ".yml"}

Given = str | Mapping[str, Any]
"""`KIND`, `KIND:MODEL`, a YAML file with `kind` and that kind's settings, or these as a mapping."""


def named(given: Given, corpus: Corpus) -> Generator:
    """The generator that `given` says, loaded.

    Raises:
        ConfigError: no such kind, a file that is none of settings, or settings that the kind does not take.
        ModelReferenceError: there is no such model.
    """
    kind, settings = read(given)
    module = import_module(KINDS[kind])
    checked = _checked(kind, module, settings)
    loaded: Generator = module.load(checked, corpus)
    return loaded


def _checked(kind: str, module: ModuleType, settings: Mapping[str, Any]) -> BaseModel:
    try:
        checked: BaseModel = module.Settings.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(
            expected=f"settings of {kind}: {', '.join(module.Settings.model_fields) or 'none'}",
            got=plain_yaml.fault_of(error),
            consequence="no query was made",
            remedy=f"write {kind}:MODEL"
            if error.errors()[0]["loc"] == ("model",)
            else "correct the generator's settings",
        ) from error
    return checked


def read(given: Given) -> tuple[str, dict[str, Any]]:
    """Kind and settings of `given`, the latter unchecked.

    Raises:
        ConfigError: no such kind, or a file that is none of settings.
    """
    if isinstance(given, Mapping):
        return _of_settings(given, "the generator's settings")
    if Path(given).suffix in YAML_SUFFIXES:
        try:
            return _of_settings(plain_yaml.read(Path(given)), given)
        except (OSError, yaml.YAMLError) as error:
            raise _unusable(f"{given}: {' '.join(str(error).split())}") from error
    kind, colon, model = given.partition(":")
    if kind not in KINDS or (colon and not model):
        raise _unusable(repr(given))
    return kind, {"model": model} if colon else {}


def identity_of(given: Given, resolve_models: bool = True) -> Mapping[str, Any]:
    """What identifies the generator that `given` says, without loading it: a model counts by its weights.

    Kinds without a model count with the defaults of their settings, so that what is made with others is made anew.

    Args:
        given: see `Given`.
        resolve_models: False leaves models by their names, where only the form is asked about.

    Raises:
        ConfigError: no such kind, a file that is none of settings, or settings that the kind does not take.
        ModelReferenceError: there is no such model.
    """
    kind, settings = read(given)
    checked = _checked(kind, import_module(KINDS[kind]), settings)
    if "model" not in settings:
        return {"kind": kind, **checked.model_dump(mode="json")}
    if resolve_models and "url" not in settings:
        settings["model"] = resolve(str(settings["model"])).weights_hash
    return {"kind": kind, **settings}


def _of_settings(content: object, place: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(content, Mapping) or content.get("kind") not in KINDS:
        raise _unusable(f"{place}: {'no mapping' if not isinstance(content, Mapping) else content.get('kind')!r}")
    return str(content["kind"]), {name: value for name, value in content.items() if name != "kind"}


def _unusable(got: str) -> ConfigError:
    return ConfigError(
        expected=f"a generator: {', '.join(KINDS)}, with :MODEL where it runs one; or a YAML file with such a `kind` "
        "and its settings",
        got=got,
        consequence="no query was made",
        remedy=f"name one of those, as --generator {DEFAULT}",
    )

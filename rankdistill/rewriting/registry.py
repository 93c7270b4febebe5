"""Rewriters by what a user writes: a model, an address, a file of rewrites, or a YAML file with a kind and settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rankdistill import plain_yaml
from rankdistill.errors import ConfigError
from rankdistill.inference.loading import kind_of, writes_of_texts
from rankdistill.models import resolve
from rankdistill.rewriting import openai
from rankdistill.rewriting.rewriter import Rewriter
from rankdistill.sessions.stored_rewrites import ENDINGS, is_stored

KINDS = {
    "stored": "rankdistill.rewriting.stored",
    "template": "rankdistill.rewriting.template",
    "seq2seq": "rankdistill.rewriting.seq2seq",
    "causal": "rankdistill.rewriting.causal",
    "openai": "rankdistill.rewriting.openai",
}
"""Kind -> module with `Settings`, a pydantic model, and `load(settings) -> Rewriter`."""

YAML_SUFFIXES = {".yaml", ".yml"}

Given = str | Mapping[str, Any]
"""A model, an address, a file of rewrites, a YAML file with `kind` and its settings, or these as a mapping."""


def named(given: Given) -> Rewriter:
    """The rewriter that `given` says, loaded.

    Raises:
        ConfigError: no such kind, a file that is none of settings, settings that the kind does not take, or a model
            that writes no texts.
        ModelReferenceError: there is no such model.
        DataError: a file of rewrites that cannot be used.
        TeacherError: a server that does not answer.
    """
    kind, settings = read(given)
    module = import_module(KINDS[kind])
    try:
        checked = module.Settings.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(
            expected=f"settings of {kind}: {', '.join(module.Settings.model_fields)}",
            got=plain_yaml.fault_of(error),
            consequence="nothing was rewritten",
            remedy="correct the rewriter's settings",
        ) from error
    loaded: Rewriter = module.load(checked)
    return loaded


def read(given: Given) -> tuple[str, dict[str, Any]]:
    """Kind and settings of `given`, the latter unchecked; see `named` for what it raises."""
    if isinstance(given, Mapping):
        return _of_settings(given, "the rewriter's settings")
    if given.startswith(("http://", "https://")):
        return "openai", openai.of_address(given)
    if Path(given).suffix in YAML_SUFFIXES:
        try:
            return _of_settings(plain_yaml.read(Path(given)), given)
        except (OSError, yaml.YAMLError) as error:
            raise _unusable(f"{given}: {' '.join(str(error).split())}") from error
    if is_stored(Path(given)):
        return "stored", {"path": given}
    kind, colon, model = given.partition(":")
    if colon and model and kind in ("seq2seq", "causal"):
        return kind, {"model": model}
    if given.lower().endswith(ENDINGS):
        raise _unusable(f"{given}: there is no such file")
    path = resolve(given).path
    if writes_of_texts(path):
        return "seq2seq", {"model": given}
    if (found := kind_of(path)) == "causal_lm":
        return "causal", {"model": given}
    raise _unusable(f"{given}, a model of kind {found}, which writes no texts")


def _of_settings(content: object, place: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(content, Mapping) or content.get("kind") not in KINDS:
        raise _unusable(f"{place}: {'no mapping' if not isinstance(content, Mapping) else content.get('kind')!r}")
    return str(content["kind"]), {name: value for name, value in content.items() if name != "kind"}


def _unusable(got: str) -> ConfigError:
    return ConfigError(
        expected="a rewriter: a model that writes (T5, BART, or a chat model), an address (http://HOST/v1#MODEL), a "
        f"file of rewrites (.jsonl, .tsv, .parquet), or a YAML file with a kind ({', '.join(KINDS)}) and its settings",
        got=got,
        consequence="nothing was rewritten",
        remedy="name one of those, see docs/sessions.md",
    )

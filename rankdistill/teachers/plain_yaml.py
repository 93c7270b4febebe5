"""YAML in which only `true` and `false` are booleans: the answers `yes` and `no` of a language model stay texts."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BOOLEAN = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the booleans of YAML 1.2 instead of those of 1.1 (yes, no, on, off too)."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the attribute that PyYAML reads
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_BOOLEAN, re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def load(text: str) -> Any:
    """The content of a YAML text; raises yaml.YAMLError where it is none."""
    return yaml.load(text, _Loader)

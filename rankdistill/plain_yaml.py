"""YAML whose values are what a reader of the file takes them for; every settings file comes through here.

PyYAML follows YAML 1.1, in which `yes` is true, 5_5 is 55, 010 is 8 and 1:30 is 90, and of a key that stands there
twice the last counts. Here only `true` and `false` are booleans (the answers `yes` and `no` of a language model stay
texts), 1e-5 is a number, dates and 1:30 are texts; other numbers that are not plain are refused, as are doubled keys.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rankdistill.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import ValidationError

_BOOLEAN, _FLOAT, _TIME, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "timestamp", "merge"))

_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,4000})")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the booleans and numbers of YAML 1.2, and each key of a mapping once."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the attribute that PyYAML reads
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOLEAN, _TIME)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = None if key_node.tag == _MERGE else self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands there twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        return node.value if ":" in node.value else int(_plain(node, _WHOLE, "whole number"))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> Any:
        if ":" in node.value:
            return node.value
        if re.fullmatch(r"[+-]?\.(inf|nan)", node.value, re.IGNORECASE):
            return super().construct_yaml_float(node)
        return float(_plain(node, _NUMBER, "number"))


def _plain(node: yaml.ScalarNode, form: re.Pattern[str], what: str) -> str:
    if not form.fullmatch(node.value):
        raise yaml.constructor.ConstructorError(
            None,
            None,
            f"{node.value:.80} is no {what} in plain decimal digits: write those, or quote it if it is a text",
            node.start_mark,
        )
    return str(node.value)


_Loader.add_implicit_resolver(_BOOLEAN, re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_FLOAT, re.compile(rf"^{_NUMBER.pattern}$"), list("-+.0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor(_FLOAT, _Loader.construct_yaml_float)


def load(text: str) -> Any:
    """The content of a YAML text; raises yaml.YAMLError where it is none, nests too deeply, or is as above."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error


def read(path: Path) -> Any:
    """The content of a YAML file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: as `load`; and where it is not in UTF-8.
    """
    try:
        return load(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise yaml.YAMLError(f"no text in UTF-8: {error}") from error


class _Texts(yaml.SafeLoader):
    """YAML in which every value is the text that stands there: 2024-01-01, 1.10 and yes are."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the attribute that PyYAML reads


def texts(block: str) -> Any:
    """What a block of YAML says, of which no value is anything but the text that stands there.

    Raises:
        ValueError: it is no YAML.
    """
    try:
        return yaml.load(block, _Texts)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_settings(path: Path, what: str) -> dict[str, Any]:
    """The mapping in a YAML file of the settings of a training.

    Args:
        path: the file.
        what: whose settings they are, as `teach`.

    Raises:
        ConfigError: no such file, broken YAML, or something else than a mapping.
    """
    try:
        found = read(path)
    except (OSError, yaml.YAMLError) as error:
        raise _no_settings(path, what, " ".join(str(error).split())) from error
    if not isinstance(found, dict):
        raise _no_settings(path, what, type(found).__name__)
    return found


def fault_of(error: ValidationError) -> str:
    """Which setting is wrong and why, as `field.part: message`; `together` where no field alone is."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'together'}: {first['msg']}"


def _no_settings(path: Path, what: str, got: str) -> ConfigError:
    return ConfigError(
        expected=f"one `setting: value` a line in {path}",
        got=got,
        consequence="nothing was trained",
        remedy=f"give a YAML file with a setting of {what} a line",
    )


def require_known(given: Collection[str], known: Collection[str], besides: Collection[str] = ()) -> None:
    """Raise ConfigError if one of a training's settings `given` is not `known`; the error names the nearest.

    Args:
        given: names of settings.
        known: those that there are.
        besides: names of other things, one of which may have been meant.
    """
    if unknown := [str(name) for name in given if name not in known]:
        near = get_close_matches(unknown[0], [*known, *besides], 1)
        raise ConfigError(
            expected=f"settings among {', '.join(known)}",
            got=", ".join(unknown),
            consequence="nothing was trained",
            remedy=f"{near[0]} is meant?" if near else "leave it out",
        )


def shipped(given: Path, folder: Path) -> Path:
    """The file that a user names: a path; or the bare name of one of the package's own files, as `quickstart`.

    Args:
        given: what was named. A file of that name where the command runs is meant before a shipped one.
        folder: where the package keeps such files, `<name>.yaml` each.
    """
    known = folder / f"{given.name}.yaml"
    is_bare = given.parent == Path() and not given.suffix
    return known if is_bare and not given.is_file() and known.is_file() else given


def shipped_names(folder: Path) -> list[str]:
    """The names that `shipped` knows, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))

"""The folders and models that commands, recipes and stores name; what counts of them is found by its hash."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.errors import RankdistillError
from rankdistill.evaluation.tasks.results import ARTEFACT as TASKS
from rankdistill.evaluation.tasks.results import parts_of
from rankdistill.manifest import RUN, Manifest
from rankdistill.provenance.found import Artefact

_KINDS = ("dense:", "index:")
"""What may stand before a folder in a source of candidates."""


def named_folders(artefact: Artefact) -> Iterator[Path]:
    """The folders that exist of those that its command, its recipe or its parameter `model` names."""
    made = artefact.manifest
    if made is None:
        return
    words = [
        *(word for command in _commands(artefact, made) for word in words_of(command)),
        *_texts_in(made.parameters if artefact.kind == RUN else made.parameters.get("model")),
    ]
    for word in words:
        path = Path(word).expanduser()
        if str(path) not in ("", ".") and _is_folder(path):
            yield path.resolve()


def _commands(artefact: Artefact, made: Manifest) -> list[str]:
    """What made it; of a folder of tasks what made each of them, which may be of several calls."""
    try:
        parts = parts_of(artefact.path) if artefact.kind == TASKS else {}
    except RankdistillError:
        parts = {}
    return list(dict.fromkeys([made.command, *(part.command for part in parts.values())]))


def words_of(command: str) -> Iterator[str]:
    """What a command line, or a call in Python, may name: its words, and their parts (`--data=DIR`, `a=dense:DIR`)."""
    try:
        words = shlex.split(command)
    except ValueError:
        return
    for word in words:
        yield word
        for part in re.split(r"[=,]", word):
            if part and not part.startswith("-"):
                yield next((part.removeprefix(kind) for kind in _KINDS if part.startswith(kind)), part)
    if "(" in command:
        yield from re.findall(r"'([^']+)'", command)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts_in(one)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False

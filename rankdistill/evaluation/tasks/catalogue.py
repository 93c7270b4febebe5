"""Tasks of mteb by name, and the folder in which the data of one lies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rankdistill import locations
from rankdistill._extras import require
from rankdistill.data.beir import CORPUS
from rankdistill.errors import ConfigError, DataError

SUBSET = "default"
"""What mteb calls the one subset of a task that has no others."""


def task_of(name: str) -> Any:
    """The retrieval task of mteb of this name, without its data.

    Raises:
        MissingDependencyError: mteb is not installed.
        ConfigError: no such task; none of retrieval; one with several subsets, or whose documents are candidates of
            each query.
    """
    mteb = require("mteb", "a task of mteb")
    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise _unusable("the name of a task of mteb", str(error).strip("'\"")) from error
    metadata = task.metadata
    if metadata.type != "Retrieval":
        raise _unusable("a retrieval task", f"{name} is of type {metadata.type}")
    if metadata.is_multilingual or list(metadata.hf_subsets) != [SUBSET]:
        raise _unusable("a task with one subset", f"{name} has {', '.join(metadata.hf_subsets)}")
    if task.skip_first_result:
        raise _unusable("a task that ranks all documents", f"{name} leaves out the first")
    return task


def folder_of(root: Path, name: str) -> Path:
    """The folder in `root` with the data of the task `name`: of that name, whatever its case, hyphens and underscores.

    Raises:
        DataError: none, or several.
    """
    exact = root / name
    if _is_collection(exact):
        return exact
    there = [path for path in locations.listing(root) if _is_collection(path)]
    found = [path for path in there if _plain(path.name) == _plain(name)]
    if len(found) == 1:
        return found[0]
    raise DataError(
        expected=f"one folder of the task {name} in {root}, as {exact}",
        got=", ".join(path.name for path in found)
        or (f"folders {', '.join(path.name for path in there)}" if there else "no collection there"),
        consequence="nothing was evaluated",
        remedy=f"fetch it: rankdistill data fetch mteb:{name} --out {exact}",
    )


def splits_of(task: Any, given: Sequence[str]) -> list[str]:
    """The splits to evaluate: those that mteb's task names, unless others are given."""
    return list(given) or list(task.metadata.eval_splits)


def _is_collection(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (CORPUS, f"{CORPUS}.gz"))


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).casefold()


def _unusable(expected: str, got: str) -> ConfigError:
    return ConfigError(
        expected=expected,
        got=got,
        consequence="nothing was evaluated",
        remedy="name others with --tasks; any collection is evaluated by --data",
    )

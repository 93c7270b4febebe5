"""Systems that `compare` evaluates itself, on one split, one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import FILE_NAME, PAGE, require_measure
from rankdistill.progress import ProgressLike
from rankdistill.verbs.arguments import Data, Place, collection_of, place_of

_NAME = re.compile(r"[^\W.][\w.+-]*")
"""What a system may be called: it is the name of a folder too."""


def evaluated(
    evaluate: Callable[..., object],
    systems: Sequence[Any],
    data: Data,
    split: str,
    out: Place | None,
    baseline: Any,
    measure: str,
    progress: ProgressLike,
    command: str,
) -> dict[str, Path]:
    """Name -> the folder of its evaluation, in the order given; those that are there already are kept.

    Args:
        evaluate: the verb.
        systems: `NAME=SYSTEM`.
        data: the collection.
        split: of it.
        out: the folder that theirs lie in.
        baseline: the system that the others are to be compared with, see `named`.
        measure: that they are to be compared by.
        progress: see `rankdistill.compare`.
        command: for the manifests.

    Raises:
        ConfigError: no folder, what is no NAME=SYSTEM, two of one name, or one that a file has; no such baseline, or no
            such measure. Nothing is evaluated then.
        RankdistillError: see `rankdistill.evaluate`.
    """
    if out is None:
        raise _unclear("a folder for the evaluations, beside a collection", "none", "give --out DIR")
    asked = [_named(one) for one in systems]
    names = [name for name, _ in asked]
    if taken := sorted({FILE_NAME, PAGE} & {*names}):
        raise _unclear("a name that is none of the comparison's own files", ", ".join(taken), "call it otherwise")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _unclear("a name of its own for each system", f"two {', '.join(twice)}", "call one otherwise")
    require_measure(measure, MEASURES)
    named(baseline, dict.fromkeys(names, place_of(out)))
    dataset = collection_of(data, [split])
    folders = {name: place_of(out) / name for name in names}
    for name, system in asked:
        evaluate(dataset, system, folders[name], split=split, name=name, progress=progress, command=command)
    return folders


def named(baseline: Any, folders: Mapping[str, Path]) -> Path | None:
    """The evaluation of the system that is called so; None where no baseline is given.

    Raises:
        ConfigError: none is.
    """
    if baseline is None:
        return None
    name = str(baseline).partition("=")[0]
    if name not in folders:
        raise _unclear(f"one of the systems: {', '.join(folders)}", f"the baseline {baseline}", "give its NAME")
    return folders[name]


def _named(given: object) -> tuple[str, str]:
    name, is_named, system = fspath(given).partition("=") if isinstance(given, str | PathLike) else ("", "", "")
    if not is_named or not system or not _NAME.fullmatch(name):
        raise _unclear(
            "NAME=SYSTEM for each system, beside a collection; a name has letters, digits and ._+-",
            repr(given),
            "call it by a name; evaluations that are there are compared without --data",
        )
    return name, system


def _unclear(expected: str, got: str, remedy: str) -> ConfigError:
    return ConfigError(expected=expected, got=got, consequence="nothing was evaluated", remedy=remedy)

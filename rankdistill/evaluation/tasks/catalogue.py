"""Tasks of mteb by name, alone or as benchmarks have them, and the folder in which the data of one lies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import locations
from rankdistill._extras import require
from rankdistill.data import sources
from rankdistill.data.beir import CORPUS
from rankdistill.errors import ConfigError, DataError

SUBSET = "default"
"""What mteb calls the one subset of a task that has no others."""

OF_SUBSETS = "hf_subset_descriptive_stats"
"""In what mteb publishes of a split: subset -> the same of it."""

FETCHED = "tasks"
"""The folder, in this user's cache, in which fetched data lie, of each revision of a task in one of its own."""

RETRIEVAL = "Retrieval"
"""The type of task, as mteb calls it, that is evaluated here."""


@dataclass(frozen=True)
class Chosen:
    """What names of tasks, aggregates and benchmarks come to.

    Args:
        tasks: mteb's own, without data, each once, in the order of the names.
        notes: what a name stands for where that is not one task, and which tasks it leaves out, a line each.
    """

    tasks: tuple[Any, ...]
    notes: tuple[str, ...] = ()


def tasks_of(names: Sequence[str]) -> Chosen:
    """The retrieval tasks that names of tasks, of aggregates of several, and of benchmarks of mteb stand for.

    Of a benchmark, those that are evaluated here; the others are told. A task has the splits and the subsets that the
    benchmark has; `TASK/SUBSET` has that subset alone, and beside others of the task these too.

    Raises:
        MissingDependencyError: mteb is not installed.
        ConfigError: no such task, subset or benchmark; a task of its own name that is not evaluated here; a benchmark
            without one that is; two benchmarks with different splits of one task.
    """
    found: dict[str, Any] = {}
    notes: list[str] = []
    for name in names:
        tasks, told = _named(name)
        notes += told
        for task in tasks:
            known = found.setdefault(task.metadata.name, task)
            if splits_of(known, ()) != splits_of(task, ()):
                raise _unusable(
                    f"the same splits of {task.metadata.name} wherever it is named",
                    f"{', '.join(splits_of(known, ()))} and {', '.join(splits_of(task, ()))}",
                )
            if subsets_of(known) != subsets_of(task):
                found[task.metadata.name] = _own(task, {*subsets_of(known), *subsets_of(task)})
    return Chosen(tuple(found.values()), tuple(notes))


def task_of(name: str) -> Any:
    """The retrieval task of mteb of this name, without its data.

    Raises:
        MissingDependencyError: mteb is not installed.
        ConfigError: no such task; none of retrieval; one of several; or one that is not evaluated here.
    """
    mteb = require("mteb", "a task of mteb")
    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise _unusable("the name of a task of mteb", str(error).strip("'\"")) from error
    if why := _unlike(task):
        raise _unusable(*why)
    return task


def _named(name: str) -> tuple[list[Any], list[str]]:
    """The tasks that one name stands for, and what to tell of it."""
    mteb = require("mteb", "a task of mteb")
    called, _, subset = name.partition("/")
    try:
        task = mteb.get_task(called if subset else name)
    except KeyError as error:
        try:
            benchmark = mteb.get_benchmark(name)
        except KeyError as other:
            got = dict.fromkeys(str(one).strip("'\"") for one in (error, other))
            raise _unusable("the name of a task or a benchmark of mteb", "; as a benchmark: ".join(got)) from error
        return _of_benchmark(name, benchmark)
    parts = list(_parts(task))
    for one in parts:
        if why := _unlike(one):
            raise _unusable(*why)
    if subset:
        return [_with_subset(task, subset)], []
    if not task.is_aggregate:
        return [task], []
    told = f"{name} stands for {len(parts)} tasks, which are evaluated one by one; mteb's mean of them is not written"
    return [_own(one) for one in parts], [told]


def _of_benchmark(name: str, benchmark: Any) -> tuple[list[Any], list[str]]:
    """Those of its tasks that are evaluated here, and a line on the others."""
    taken, others = [], []
    types: Counter[str] = Counter()
    for task in (part for one in benchmark.tasks for part in _parts(one)):
        if task.metadata.type != RETRIEVAL:
            types[task.metadata.type] += 1
        elif not task.metadata.is_public:
            others.append(f"{task.metadata.name} is not public")
        elif why := _unlike(task):
            others.append(why[1])
        else:
            taken.append(_own(task))
    left = [f"{count} of type {kind}" for kind, count in sorted(types.items())] + others
    if not taken:
        raise _unusable(f"a benchmark with a task of type {RETRIEVAL}", f"{name}: {'; '.join(left) or 'no tasks'}")
    notes = [f"{name} stands for {len(taken)} tasks: {', '.join(one.metadata.name for one in taken)}"]
    return taken, [*notes, *([f"left out of {name}: {'; '.join(left)}"] if left else [])]


def _own(task: Any, subsets: Collection[str] | None = None) -> Any:
    """A task with the splits and subsets of one that mteb shares, which is not to get data; or with other `subsets`."""
    mteb = require("mteb", "a task of mteb")
    wanted = subsets_of(task) if subsets is None else [one for one in task.metadata.hf_subsets if one in subsets]
    return mteb.get_task(task.metadata.name, eval_splits=list(task.eval_splits), hf_subsets=wanted)


def _with_subset(task: Any, subset: str) -> Any:
    """The task with that subset alone; ConfigError where it has none of the name."""
    known = [] if task.is_aggregate else list(task.metadata.hf_subsets)
    if subset not in known or known == [SUBSET]:
        several = f"has {', '.join(known)}" if known != [SUBSET] and known else "has no subsets"
        raise _unusable(f"TASK or TASK/SUBSET of mteb, not {subset!r}", f"{task.metadata.name}, which {several}")
    return _own(task, [subset])


def _parts(task: Any) -> Iterator[Any]:
    """The task itself, or those that an aggregate is of."""
    if not task.is_aggregate:
        yield task
        return
    for one in task.metadata.tasks:
        yield from _parts(one)


def _unlike(task: Any) -> tuple[str, str] | None:
    """What is expected of a task and what it is instead; None of one that is evaluated here."""
    name, metadata = task.metadata.name, task.metadata
    if metadata.type != RETRIEVAL:
        return "a retrieval task", f"{name} is of type {metadata.type}"
    if task.is_aggregate:
        return "one task", f"{name} is one of {len(metadata.tasks)} tasks"
    if list(metadata.modalities) != ["text"]:
        return "a task of texts", f"{name} is of {', '.join(metadata.modalities)}"
    if task.skip_first_result:
        return "a task that ranks all documents", f"{name} leaves out the first"
    if any(one.get("top_ranked_statistics") for one in _statistics(task)):
        return "a task that ranks all documents", f"{name} has candidates of each query, which alone are ranked"
    return None


def _statistics(task: Any) -> Iterator[Mapping[str, Any]]:
    """What mteb publishes of each split, and of each subset of it."""
    for one in (task.metadata.descriptive_stats or {}).values():
        yield one
        yield from (one.get(OF_SUBSETS) or {}).values()


def subsets_of(task: Any) -> list[str]:
    """The subsets to evaluate, as mteb orders them; `SUBSET` alone of a task that has none."""
    return list(task.hf_subsets)


def is_divided(task: Any) -> bool:
    """Whether mteb's task has subsets, be it a single one; then each has a folder of its own."""
    return list(task.metadata.hf_subsets) != [SUBSET]


def data_of(task: Any, root: Path | None, subset: str = SUBSET) -> Path:
    """The folder with the data of a subset of a task: in `root`, or fetched from the hub into this user's cache.

    Raises:
        DataError: none in `root`, or several; or the hub cannot be reached.
    """
    name = task.metadata.name
    return folder_of(root, name, subset) if root is not None else fetched(task, subset)


def fetched(task: Any, subset: str = SUBSET) -> Path:
    """Where the data of a task's revision lie in this user's cache, after they were fetched if they do not yet.

    Raises:
        DataError: the hub cannot be reached.
    """
    folder = cached(task, subset)
    try:
        sources.fetch(reference_of(task.metadata.name, subset), folder)
    except DataError as error:
        raise DataError(
            expected=f"the data of {task.metadata.name} from the hub, as no folder was given (--data-root DIR)",
            got=error.got,
            consequence="nothing was evaluated",
            remedy="give a folder with a collection of each task's name, --data-root DIR, or let the hub be reached",
        ) from error
    return folder


def cached(task: Any, subset: str = SUBSET) -> Path:
    """Where `fetched` puts them; it need not exist."""
    name, revision = task.metadata.name, task.metadata.revision
    return _within(locations.cache_folder() / FETCHED / f"{name}-{revision[:12]}", subset)


def reference_of(name: str, subset: str) -> str:
    """What `rankdistill data fetch` takes for a subset of a task."""
    return f"mteb:{name}" if subset == SUBSET else f"mteb:{name}/{subset}"


def folder_of(root: Path, name: str, subset: str = SUBSET) -> Path:
    """The folder in `root` with the data of the task `name`: of that name, whatever its case, hyphens and underscores.

    That of a subset is a folder of its name in that of the task.

    Raises:
        DataError: none, or several.
    """
    if subset == SUBSET:
        return _folder(root, name, name, subset)
    there = [path for path in locations.listing(root) if path.is_dir() and _plain(path.name) == _plain(name)]
    holding = root / name if root / name in there or len(there) != 1 else there[0]
    return _folder(holding, subset, name, subset)


def _within(folder: Path, subset: str) -> Path:
    return folder if subset == SUBSET else folder / subset


def _folder(root: Path, called: str, name: str, subset: str) -> Path:
    exact = root / called
    if _is_collection(exact):
        return exact
    there = [path for path in locations.listing(root) if _is_collection(path)]
    found = [path for path in there if _plain(path.name) == _plain(called)]
    if len(found) == 1:
        return found[0]
    raise DataError(
        expected=f"one folder of {'the task' if subset == SUBSET else f'the subset {subset} of'} {name} in {root}, "
        f"as {exact}",
        got=", ".join(path.name for path in found)
        or (f"folders {', '.join(path.name for path in there)}" if there else "no collection there"),
        consequence="nothing was evaluated",
        remedy=f"fetch it: rankdistill data fetch {reference_of(name, subset)} --out {exact}"
        + ("" if subset == SUBSET else f"; or evaluate those subsets alone that are there: --tasks {name}/SUBSET"),
    )


def splits_of(task: Any, given: Sequence[str]) -> list[str]:
    """The splits to evaluate: those that mteb's task names, or its benchmark, unless others are given."""
    return list(given) or list(task.eval_splits)


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

"""A system on several of mteb's tasks, a folder a task, and the files that mteb's leaderboard is made of.

<out>/<Task>/<split>/     an evaluation like any other: results.json, per_query.parquet, run.trec, manifest.json; of a
                          task with subsets <out>/<Task>/<subset>/<split>/
<out>/results/<organisation__model>/<revision>/   <Task>.json, model_meta.json, run_settings.jsonl, as mteb writes them
<out>/manifest.json       written after each task: the system, and the hash of every file

The run is kept as deep as the task's deepest measure, so that every published number can be computed again from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rankdistill import files, integrity, locations, manifest
from rankdistill._extras import require
from rankdistill.data import Dataset
from rankdistill.errors import StaleOutputError
from rankdistill.evaluation import evaluating, run_files
from rankdistill.evaluation.evaluating import Costs
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.evaluation.tasks import catalogue, local_data, scoring
from rankdistill.evaluation.tasks.catalogue import SUBSET
from rankdistill.evaluation.tasks.results import (
    ARTEFACT,
    LEFT_OUT,
    META,
    RESULTS,
    SETTINGS,
    TASK,
    TaskEvaluations,
    folder_of_subset,
)
from rankdistill.making import making, visible_files
from rankdistill.notes import note


@dataclass(frozen=True)
class Opened:
    """A system with the documents of one collection.

    Args:
        retriever: answers.
        costs: its sizes, and what its teachers cost.
        meta: mteb's `ModelMeta` of it, once its name and revision are known.
        trained: the model whose training a report shows; None: none that is known.
        models: references of the models that it is made of.
    """

    retriever: Retriever
    costs: Costs
    meta: Callable[[str, str], Any]
    trained: str | None = None
    models: tuple[str, ...] = ()


def evaluate_tasks(
    open_system: Callable[[Dataset], Opened],
    name: str,
    revision: str,
    tasks: Sequence[str],
    data_root: Path | None,
    out: Path,
    *,
    models: Mapping[str, str] = MappingProxyType({}),
    splits: Sequence[str] = (),
    latency_queries: int = 0,
    command: str = "",
) -> TaskEvaluations:
    """Evaluate a system on each task; what is done is not done again, and other tasks may be added later.

    Args:
        open_system: `(collection)` -> the system; called for each task that is still to do.
        name: what mteb files the results under, `ORGANISATION/MODEL`.
        revision: likewise, 40 hex digits.
        tasks: names of mteb's retrieval tasks, of aggregates of them, or of benchmarks.
        data_root: folder with a collection a task, of its name; None: they are fetched from the hub.
        out: folder; one of the same system gets the tasks that it lacks.
        models: what a model is to the system -> hash of its weights, for the lineage.
        splits: to evaluate; those of the task unless given.
        latency_queries: queries of each split that are timed one by one.
        command: the command line, for the manifests.

    Raises:
        ConfigError: no such task, or one that is not evaluated here.
        DataError: no data, or other data than that of the task's revision; or a file of `out` is missing or damaged.
        StaleOutputError: `out` holds another system's results.
        MissingDependencyError: mteb is not installed.
    """
    chosen = catalogue.tasks_of(tasks)
    for line in chosen.notes:
        note(line)
    if data_root is not None:  # before the first of them is evaluated
        for one in chosen.tasks:
            for subset in catalogue.subsets_of(one):
                catalogue.folder_of(data_root, one.metadata.name, subset)
    wanted = manifest.Manifest(
        artefact=ARTEFACT,
        inputs={"revision": revision, **models},
        parameters={"name": name, "latency_queries": latency_queries},
        versions=manifest.versions_of("mteb", "ir-measures", "torch", "transformers", "sentence-transformers"),
        command=command,
    )
    manifest.is_current(out, wanted)
    with files.exclusive(out):
        files.remove_temporaries(out, keep_living=True)
        manifest.is_current(out, wanted)
        _require_whole(out)
        for task in chosen.tasks:
            folders = {one: catalogue.data_of(task, data_root, one) for one in catalogue.subsets_of(task)}
            asked = catalogue.splits_of(task, splits)
            _one(open_system, name, wanted.inputs, task, asked, folders, out, latency_queries, command)
            outputs = {path.relative_to(out).as_posix(): files.hash_file(path) for path in _outputs(out)}
            there = manifest.read(out)
            if there is None or there.outputs != outputs:  # a call that did nothing is not what made it
                replace(wanted, outputs=outputs).write(out)
    return TaskEvaluations.read(out)


def _require_whole(out: Path) -> None:
    """Raise DamagedError if a file of an earlier call is missing or damaged; the next manifest would vouch for it.

    What mteb writes anew with each task may be another one already, after a kill.
    """
    made = manifest.read(out)
    for name in made.outputs if made is not None else ():
        one = integrity.Recorded(out, name, made)
        if one.path.name not in (META, SETTINGS) and integrity.is_read(name):
            one.require()


def _one(
    open_system: Callable[[Dataset], Opened],
    name: str,
    system: Mapping[str, str],
    task: Any,
    splits: Sequence[str],
    folders: Mapping[str, Path],
    out: Path,
    latency_queries: int,
    command: str,
) -> None:
    """One task, unless it is there.

    Args:
        open_system: see `evaluate_tasks`.
        name: likewise.
        system: the hashes that stand for what is evaluated.
        task: mteb's, without data.
        splits: of each subset.
        folders: subset -> its data.
        out: see `evaluate_tasks`.
        latency_queries: likewise.
        command: likewise.
    """
    mteb = require("mteb", "results in mteb's layout")
    title = task.metadata.name
    data = {subset: _data(task, subset, folder, splits) for subset, folder in folders.items()}
    left_out = {
        subset: {split: _without_relevant(dataset, split) for split in splits} for subset, dataset in data.items()
    }
    wanted = manifest.Manifest(
        artefact=TASK,
        inputs={**system, **{key: value for subset in data for key, value in _inputs(subset, data, splits).items()}},
        parameters={
            "task": title,
            "dataset_revision": task.metadata.revision,
            "latency_queries": latency_queries,
            LEFT_OUT: left_out if catalogue.is_divided(task) else left_out[SUBSET],
        },
        versions=manifest.versions_of("mteb", "ir-measures"),
        command=command,
    )
    folder = out / title
    with making(folder, wanted, part=True, again=False) as made:
        if made.current:
            return
        started, live, meta = time.perf_counter(), True, None
        runs: dict[str, dict[str, Any]] = {}
        for subset, dataset in data.items():
            opened, place, runs[subset] = open_system(dataset), folder_of_subset(folder, subset), {}
            for split in splits:
                live = live and manifest.read(place / split) is None
                evaluating.evaluate(
                    opened.retriever,
                    dataset,
                    split,
                    place / split,
                    depth=scoring.depth_of(task),
                    latency_queries=min(latency_queries, len(dataset.queries(split))),
                    costs=opened.costs,
                    trained=opened.trained,
                    command=command,
                )
                runs[subset][split] = run_files.read(run_files.find(place / split))
            meta = opened.meta(name, system["revision"])
        result = scoring.score(task, data, splits, runs, meta)
        result.evaluation_time = round(time.perf_counter() - started, 3) if live else None
        cache = mteb.ResultCache(out)
        _require_one_revision(cache.get_task_result_path(title, meta), out)
        cache.save_to_cache(result, meta, encode_kwargs=dict(scoring.ENCODE_SETTINGS))
        made.wrote()


def _data(task: Any, subset: str, folder: Path, splits: Sequence[str]) -> Dataset:
    """The data of one subset, which are those of the task's revision as far as mteb tells of them."""
    dataset = local_data.load_for(task, folder, splits)
    local_data.require_revision(task, dataset, splits, subset)
    of_subset = "" if subset == SUBSET else f" {subset}"
    for split in splits:
        if local_data.published_counts(task, split, subset) is None:
            note(
                f"{task.metadata.name}{of_subset}, {split}: mteb publishes no counts of this split, so its data is "
                "taken on trust"
            )
    return dataset


def _inputs(subset: str, data: Mapping[str, Dataset], splits: Sequence[str]) -> dict[str, str]:
    """What the manifest of a task has of the data of one subset."""
    dataset, of_subset = data[subset], "" if subset == SUBSET else f":{subset}"
    judged = {f"qrels{of_subset}:{split}": dataset.qrels_hash(split) for split in splits}
    return {f"data{of_subset}": dataset.fingerprint, **judged}


def _without_relevant(dataset: Dataset, split: str) -> int:
    return sum(max(judged.values()) <= 0 for judged in dataset.qrels(split).values())


def _require_one_revision(path: Path, out: Path) -> None:
    """Raise StaleOutputError where results of another model or revision lie beside."""
    beside = [other for other in locations.listing(out / RESULTS, "*/*") if other != path.parent]
    if beside:
        raise StaleOutputError(
            expected=f"results of one model in {out / RESULTS}",
            got=str(beside[0].relative_to(out)),
            consequence="nothing was changed",
            remedy="choose another output",
        )


def _outputs(out: Path) -> list[Path]:
    return [path for path in visible_files(out) if path != out / manifest.FILE_NAME]

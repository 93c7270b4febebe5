"""Whether each published number follows from the run and the judgements."""

from __future__ import annotations

import math
from typing import Any

from rankdistill import files, manifest
from rankdistill.errors import RankdistillError
from rankdistill.evaluation import run_files
from rankdistill.evaluation.tasks import scoring
from rankdistill.evaluation.tasks.catalogue import task_of
from rankdistill.evaluation.tasks.results import SUBSET, folder_of_subset
from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence, TaskFile

TOLERANCE = 2e-6
"""mteb writes 6 digits."""


def check(evidence: Evidence) -> Finding:
    """Refuse a number that mteb's measures do not give for the run that lies beside, and a file changed since."""
    wrong, measures = [], 0
    for one in evidence.tasks:
        changed = _changed(one)
        wrong += changed
        found, count = _recomputed(one, evidence.meta)
        wrong += found
        measures += count
    if wrong:
        return Finding(
            check="scores",
            status=Status.REFUSE,
            reason="whose figures do not follow from its runs",
            sentence="; ".join(wrong),
            figures={"measures": measures},
        )
    return Finding(
        check="scores",
        status=Status.PASS,
        sentence=f"{measures:,} numbers computed again from the runs, and the same",
        figures={"measures": measures},
    )


def _changed(one: TaskFile) -> list[str]:
    """Files that are not those that the evaluation wrote."""
    made = manifest.read(one.root)
    outputs = made.outputs if made is not None else {}
    names = [one.path.relative_to(one.root).as_posix(), *(n for n in outputs if n.startswith(f"{one.name}/"))]
    return [
        f"{name} is not as the evaluation wrote it"
        for name in names
        if not (one.root / name).is_file() or files.hash_file(one.root / name) != outputs.get(name)
    ]


def _recomputed(one: TaskFile, meta: object) -> tuple[list[str], int]:
    """What differs from mteb's measures of the run, and how many numbers were held against them."""
    if not one.is_at_hand:
        return [f"{one.name}: without its data no number can be computed again"], 0
    try:
        runs: dict[str, dict[str, Any]] = {}
        for test in one.tests:
            folder = folder_of_subset(one.root / one.name, test.subset) / test.split
            runs.setdefault(test.subset, {})[test.split] = run_files.read(run_files.find(folder))
        again = scoring.score(task_of(one.name), one.datasets, one.splits, runs, meta)
    except RankdistillError as error:
        return [f"{one.name}: {error.got}"], 0
    wrong, count = [], 0
    for test, block in one.blocks:
        fresh = next(found for found in again.scores[test.split] if found[SUBSET] == test.subset)
        for name, value in block.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            count += 1
            expected = fresh.get(name)
            same = expected is not None and (abs(expected - value) <= TOLERANCE or _both_nan(expected, value))
            if not same:
                wrong.append(f"{one.name}, {test.title}: {name} is {value} in the file, {expected} by its run")
        if lacking := sorted(fresh.keys() - block.keys()):
            wrong.append(f"{one.name}, {test.title}: {', '.join(lacking)} not in the file")
    return wrong[:5], count


def _both_nan(one: float, other: float) -> bool:
    return math.isnan(one) and math.isnan(other)

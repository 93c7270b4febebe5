"""Whether the results repository takes the files: layout, run settings, versions, sizes, finite numbers."""

from __future__ import annotations

import math
from pathlib import Path

from rankdistill import locations, plain_json
from rankdistill.errors import DataError
from rankdistill.evaluation.tasks.results import META, SETTINGS
from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence, TaskFile

MOST_BYTES = 10 * 2**20
OLDEST = (2, 0, 1)
"""Of a file in the results repository, and of mteb."""


def check(evidence: Evidence) -> Finding:
    """Refuse what the tests of the results repository would refuse."""
    wrong = [problem for one in evidence.tasks for problem in problems(one)]
    if wrong:
        return Finding(
            check="files",
            status=Status.REFUSE,
            reason="whose files the results repository does not take",
            sentence="; ".join(wrong),
        )
    return Finding(
        check="files",
        status=Status.PASS,
        sentence=f"{len(evidence.tasks)} result files with their run settings, readable by mteb, below 10 MiB each",
    )


def problems(one: TaskFile) -> list[str]:
    """What is wrong with one result file and what lies beside it."""
    folder, found = one.path.parent, []
    for path in (one.path, folder / META, folder / SETTINGS):
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            found.append(f"{path.name} has {path.stat().st_size / 2**20:.1f} MiB, and 10 are taken")
    if not (folder / META).is_file():
        found.append(f"{META} is missing beside {one.path.name}")
    if not _version(one.content.get("mteb_version")) >= OLDEST:
        found.append(f"{one.path.name} is of mteb {one.content.get('mteb_version')}, and above 2.0.0 is taken")
    if not one.blocks:
        found.append(f"{one.path.name} has no scores")
    for test, block in one.blocks:
        score = block.get("main_score")
        if not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
            found.append(f"{one.path.name}, {test.title}: the main score is {score!r}, no number from 0 to 1")
        elif block.get(one.task.metadata.main_score) != score:
            found.append(f"{one.path.name}, {test.title}: the main score is not {one.task.metadata.main_score}")
    return found + _settings(one, folder / SETTINGS) + _loaded(one)


def _settings(one: TaskFile, path: Path) -> list[str]:
    """Whether the run settings name each task, split and subset."""
    if not path.is_file():
        return [f"{SETTINGS} is missing beside {one.path.name}: evaluate again, which writes it"]
    named = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = plain_json.loads(line)
            version = _version((row.get("version") or {}).get("mteb"))
            named |= {
                (row["task"], split, subset, version >= OLDEST) for split in row["splits"] for subset in row["subsets"]
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return [f"{SETTINGS}, line {number}: {type(error).__name__} {error}"]
    return [
        f"{SETTINGS} has no row of {one.name}, {test.split}, {test.subset} by mteb above 2.0.0"
        for test in one.tests
        if (one.name, test.split, test.subset, True) not in named
    ]


def _loaded(one: TaskFile) -> list[str]:
    """Whether mteb itself reads the file."""
    from mteb.results import TaskResult

    try:
        TaskResult.from_disk(one.path)
    except Exception as error:  # whatever mteb raises, it does not read the file
        return [f"mteb does not read {one.path.name}: {str(error).splitlines()[0]}"]
    return []


def _version(text: object) -> tuple[int, ...]:
    parts = str(text).split(".")[:3]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)


def require_layout(results: Path, name: str, revision: str) -> Path:
    """The folder of one model in `results`; DataError unless it alone lies there, where it says it belongs."""
    expected = results / name.replace("/", "__").replace(" ", "_") / revision
    there = locations.listing(results, "*/*")
    if there != [expected]:
        raise DataError(
            expected=f"results of one model in {expected}",
            got=", ".join(str(path.relative_to(results)) for path in there) or "none",
            consequence="nothing was published",
            remedy="publish into an empty folder",
        )
    return expected

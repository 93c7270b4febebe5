"""`compare`: evaluated systems against a baseline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import files, manifest
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.evaluation import comparing, conclusion
from rankdistill.evaluation import report as pages
from rankdistill.evaluation.comparing import Trained
from rankdistill.evaluation.results import MAIN_MEASURE, PAGE, Results
from rankdistill.evaluation.verdict import judging
from rankdistill.evaluation.verdict.records import USUAL
from rankdistill.progress import ProgressLike
from rankdistill.verbs import side_by_side
from rankdistill.verbs.arguments import Data, Place, listed, place_of, require_range
from rankdistill.verbs.contract import verb
from rankdistill.verbs.evaluate import TEST, evaluate

System = str | os.PathLike[str] | Trained
"""An evaluation or its folder; `NAME=FOLDER,FOLDER,...` or a `Trained` for a system that was trained several times."""


@verb
def compare(
    systems: System | Sequence[System],
    out: Place | None = None,
    *,
    data: Data | None = None,
    split: str | None = None,
    baseline: System | None = None,
    title: str = "Comparison",
    measure: str = MAIN_MEASURE,
    report: Place | Sequence[Place] | None = None,
    examples: int = comparing.EXAMPLES,
    seed: int = 0,
    progress: ProgressLike = False,
    command: str = "",
) -> Results:
    """Test evaluated systems against a baseline: paired randomisation, bootstrap intervals, Holm's correction.

    Args:
        systems: evaluations, as `evaluate` returns them, or their folders; `NAME=FOLDER,FOLDER,...` or a `Trained` for
            a system that was trained several times, alike but for the seed.
        out: folder for `results.json` and `report.html`; without it nothing is written.
        data: a collection: then `systems` are evaluated first, side by side, each into a folder of its name in `out`:
            `NAME=SYSTEM`, where SYSTEM is what `evaluate` takes by itself, as a model, an index, `bm25`, or a YAML
            file with an embedding service's address and prefixes. What was evaluated before is not evaluated again.
        split: of `data`; `test` unless given.
        baseline: the one that the others are tested against, in the same form; the first of `systems` unless given.
        title: heading of the report.
        measure: which differences are shown, and what is plotted.
        report: files to write besides, as their suffix says: `.html` the page, `.md` or `.tex` its tables.
        examples: queries won and lost that are shown, each way, for each system; 0: none.
        seed: of the permutations and resamples.
        progress: with `data`: True tells on standard error; or a function that takes the number of texts just done.
        command: the command line, for the signature.

    Returns:
        The systems side by side and their differences, which print as two tables; `plot()` draws the differences.

    Raises:
        DataError: fewer than two systems, a folder holds no whole evaluation, or they are of different data.
        ConfigError: two systems are given one name, an evaluation twice in one, no such measure, a report of another
            suffix; with `data` no `out`, or what is no NAME=SYSTEM; a split without `data`.
        StaleOutputError: `out` holds something else, as an evaluation.
        LockedError: another process writes to `out`.
    """
    require_range(0, seed=seed, examples=examples)
    if split is not None and data is None:
        raise ConfigError(
            expected="a split (--split) beside the collection that systems are evaluated on first (--data)",
            got=f"the split {split!r} without one",
            consequence="nothing was compared: evaluations are compared on the split that they are of",
            remedy="leave the split out and give evaluations of it, or give --data DIR and NAME=SYSTEM",
        )
    reports = [place_of(one) for one in listed(report)]
    for one in reports:
        pages.require_suffix(one)
    given: list[Any] = listed(systems)
    folder = None if out is None else place_of(out)
    if folder is not None:
        require_no_artefact(folder)
    if data is not None:
        folders = side_by_side.evaluated(
            evaluate, given, data, split or TEST, out, baseline, measure, progress, command
        )
        given, baseline = list(folders.values()), side_by_side.named(baseline, folders)
    chosen = list(map(system_of, given))
    if not chosen and baseline is None:
        raise DataError(
            expected="at least two evaluations, the first of them the baseline",
            got="none",
            consequence="nothing was compared",
            remedy="give what `evaluate` returned, or the folders that it wrote",
        )
    against = chosen[0] if baseline is None else system_of(baseline)
    found = comparing.compare(
        chosen, against, title=title, command=command, seed=seed, measure=measure, examples=examples
    ).shown_in(measure)
    for one in reports:
        pages.written(found, one, measure)
    found = found.reported_in(reports)
    if folder is None:
        return found
    with files.exclusive(folder):
        return write(found, folder, measure)


def write(results: Results, folder: Path, measure: str = MAIN_MEASURE) -> Results:
    """Write `results.json` and `report.html` into `folder`; the results, which lie there now.

    Args:
        results: of `compare`, which may have got further figures since.
        folder: is made where it is not there; the caller holds it.
        measure: what is plotted.
    """
    files.remove_temporaries(folder, keep_living=True)
    results.write(folder)
    pages.write_html(results, folder / PAGE, measure)
    return results.lying_in(folder)


def with_teaching(results: Results, teaching: Mapping[str, float]) -> Results:
    """The same results, where what a student's teachers took has what teaching one of them took in it.

    Args:
        results: of `compare`.
        teaching: system -> seconds. Of a system whose teachers' time is unknown it stays so.
    """
    systems = [
        one
        if one.teacher_seconds is None
        else one.model_copy(update={"teacher_seconds": one.teacher_seconds + teaching.get(one.name, 0.0)})
        for one in results.systems
    ]
    return results.model_copy(update={"systems": systems})


def conclude(
    results: Results,
    evaluations: Mapping[str, Path | Trained],
    students: Sequence[str],
    *,
    teacher: str | None = None,
    words: str | None = None,
    seed: int = 0,
) -> Results:
    """The same results with a sentence for each student: quality kept, BM25 beaten or not, times faster, bytes.

    Where the student before training was evaluated too, `judge_students` says more.

    Args:
        results: of `compare` over these evaluations.
        evaluations: system -> its evaluation, or those of its trainings.
        students: systems that get a sentence.
        teacher: the system that they are to keep the quality of, as `results` call it.
        words: BM25, which they are tested against.
        seed: of the permutations and resamples.
    """
    tests = []
    if words is not None:
        systems = [evaluations[words], *(evaluations[name] for name in students)]
        tests = comparing.compare(systems, systems[0], title="", command="", seed=seed).comparisons
    said = conclusion.conclusions(results, students, teacher, words, tests)
    return results.model_copy(update={"conclusions": [*results.conclusions, *said]})


def judge_students(
    results: Results,
    evaluations: Mapping[str, Path | Trained],
    students: Sequence[str],
    others: Mapping[str, str],
    *,
    seed: int = 0,
) -> Results:
    """The same results with a verdict on each student, whose sentence has quality kept, times faster and bytes.

    Args:
        results: of `compare` over these evaluations.
        evaluations: system -> its evaluation, or those of its trainings.
        students: systems that get a verdict, behind those that the results have.
        others: role (`bm25`, `untrained`, `teacher`) -> the system in `evaluations` that has it; one that was not
            evaluated is left out, and the verdict says what follows.
        seed: of the permutations and resamples.
    """
    held_against = {role: evaluations[name] for role, name in others.items()}
    evidence = [judging.gather(evaluations[name], held_against, seed=seed) for name in students]
    return results.judged([*results.verdicts, *(judging.judge(one, USUAL) for one in evidence)])


def require_no_artefact(folder: Path) -> None:
    """Raise StaleOutputError where something with a manifest lies: an evaluation has a `results.json` of its own."""
    if (held := manifest.read(folder)) is not None:
        raise StaleOutputError(
            expected=f"{folder} to be empty, or to hold a comparison",
            got=f"it holds {held.artefact!r}",
            consequence="nothing was compared: what lies there is kept",
            remedy="choose another output",
        )


def system_of(given: System) -> Path | Trained:
    """The folder of an evaluation, or the trainings, that `given` means."""
    if isinstance(given, Trained):
        return given
    return comparing.parse_system(given) if isinstance(given, str) else Path(os.fspath(given))

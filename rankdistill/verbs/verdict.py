"""`verdict`: whether to ship a student, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rankdistill import files, manifest
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.comparing import Trained
from rankdistill.evaluation.results import Evaluation, Results
from rankdistill.evaluation.verdict import int8, judging, subject
from rankdistill.evaluation.verdict.checks.int8 import finding
from rankdistill.evaluation.verdict.evidence import BM25, TEACHER, UNTRAINED
from rankdistill.evaluation.verdict.records import USUAL, Bounds, Verdict
from rankdistill.progress import Progress, ProgressLike, reporter_of
from rankdistill.verbs.arguments import Data, Model, Place, collection_of, place_of, reference_of, require_range
from rankdistill.verbs.compare import System, compare, require_no_artefact, system_of, write
from rankdistill.verbs.contract import verb

OF_INT8 = ("least_cosine", "most_loss")
"""Bounds of a bundle's int8 file."""


@verb
def verdict(
    student: System | Results,
    out: Place | None = None,
    *,
    bm25: System | None = None,
    untrained: System | None = None,
    teacher: System | None = None,
    name: str | None = None,
    bundle: Model | None = None,
    data: Data | None = None,
    split: str = "test",
    index: Place | None = None,
    keep: float = 0.9,
    level: float = 0.05,
    least_queries: int = 50,
    least_cosine: float = 0.95,
    most_loss: float = 0.01,
    title: str = "Verdict",
    seed: int = 0,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Results:
    """Say whether to ship a student, from what `evaluate` wrote of it and of what it is held against.

    A verdict that refuses raises nothing here: `ship` of what is returned is False, and the command ends with 2.

    Args:
        student: its evaluation, the folder of one, `NAME=FOLDER,FOLDER,...` or a `Trained` for several trainings; or
            a report that has verdicts, as `run` writes them, or its folder.
        out: folder for `results.json` and `report.html`; without it nothing is written.
        bm25: the evaluation of BM25 on the same queries.
        untrained: that of the student before training.
        teacher: that of the teacher.
        name: which student of a report that judges several.
        bundle: the student's bundle, or a model folder with `onnx/model_int8.onnx`: its int8 file is judged. Its
            weights must be those that were evaluated; a note says where the evaluation does not tell them.
        data: collection whose queries the int8 file is judged on, that of the evaluation; queries of documentation
            without it.
        split: of these queries.
        index: the documents as the student searches them; encoded anew unless given.
        keep: least share of the teacher's nDCG@10.
        level: of significance.
        least_queries: judged queries that are asked for.
        least_cosine: least mean cosine of int8 vectors with float32's.
        most_loss: most nDCG@10 that int8 queries may lose.
        title: heading of the report.
        seed: of the permutations and resamples.
        lenient: leave bad rows of the data out instead of stopping.
        ignore_identical_ids: see `rankdistill.data.identical_ids`.
        progress: True tells on standard error; or a function that takes the number of documents just encoded.
        command: the command line, for the signature.

    Returns:
        The systems side by side with `verdicts`; prints as tables, the verdict's sentence last.

    Raises:
        DataError: nothing to hold the student against, evaluations of different data, a report without verdicts; the
            bundle of another model, or other data, than was evaluated; an evaluation of something else than it is
            given as, such as a model's as `bm25`.
        ConfigError: settings that have no effect, or no student of that name.
        ModelReferenceError: the bundle is neither one nor a model.
        StaleOutputError: `out` holds something else, as an evaluation.
        LockedError: another process writes to `out`.
        SpaceMismatchError: the bundle was edited, or does not belong to the index.
    """
    require_range(0, 1, keep=keep, level=level, least_cosine=least_cosine, most_loss=most_loss)
    require_range(0, least_queries=least_queries, seed=seed)
    bounds = Bounds(keep=keep, level=level, least_queries=least_queries, least_cosine=least_cosine, most_loss=most_loss)
    others = {
        role: one for role, one in {BM25: bm25, UNTRAINED: untrained, TEACHER: teacher}.items() if one is not None
    }
    of_data = {"index": index, "lenient": lenient, "ignore_identical_ids": ignore_identical_ids}
    of_data["split"] = split if split != "test" else None
    _require_effect(bundle, data, bounds, of_data)
    folder = None if out is None else place_of(out)
    if folder is not None:
        require_no_artefact(folder)
    report = _report_of(student)
    if report is not None:
        _require_no_others(report, others, bounds, bundle is None, title=title != "Verdict", seed=seed != 0)
        report = report.judged(_chosen(report, name, bundle is not None))

    def measured(given: str, stage: Progress) -> int8.Int8:
        called, signatures = _evaluated(student, report)
        subject.require_bundle(given, called, signatures)
        collection = None if data is None else collection_of(data, [split], lenient, ignore_identical_ids)
        if collection is not None:
            subject.require_data(collection, split, called, signatures)
        place = None if index is None else place_of(index)
        return int8.measure(Path(given), collection, split, place, stage)

    with reporter_of(progress).stage("verdict", "documents") as stage:
        of_file = None if bundle is None else measured(reference_of(bundle), stage)
    if report is None:
        assert not isinstance(student, Results), "a report without verdicts is refused"
        report = _judged(student, others, of_file, bounds, name, title, seed, command)
    elif of_file is not None:
        drawn = bounds.model_dump(include={"least_cosine", "most_loss"})
        report = report.judged(
            [_with_file(one, of_file, one.bounds.model_copy(update=drawn)) for one in report.verdicts]
        )
    if folder is None:
        return report
    with files.exclusive(folder):
        return write(report, folder)


def _judged(
    student: System,
    others: Mapping[str, System],
    of_file: int8.Int8 | None,
    bounds: Bounds,
    name: str | None,
    title: str,
    seed: int,
    command: str,
) -> Results:
    if name is not None:
        raise _without_effect("name", "an evaluation, which is of one student")
    held_against = {role: system_of(one) for role, one in others.items()}
    mine = system_of(student)
    subject.require_roles(*_told(mine), {role: _told(one) for role, one in held_against.items()})
    results = compare([*others.values(), student], title=title, seed=seed, command=command)
    evidence = judging.gather(mine, held_against, of_file, seed)
    return results.judged([judging.judge(evidence, bounds)])


def _evaluated(student: System | Results, report: Results | None) -> tuple[str, subject.Signatures]:
    """What the one student is called, and the signatures of its evaluations: of `report`, or where `student` lies."""
    if report is not None:
        called = report.verdicts[0].student
        return called, subject.signatures_in(report.signature.get("systems", {}), called)
    assert not isinstance(student, Results), "a report without verdicts is refused"
    return _told(system_of(student))


def _told(given: Path | Trained) -> tuple[str, subject.Signatures]:
    """What a system is called, and the signatures of its evaluations."""
    found = [Evaluation.read(one) for one in (given.folders if isinstance(given, Trained) else (given,))]
    called = given.name if isinstance(given, Trained) else found[0].system.name
    return called, [one.signature for one in found]


def _with_file(verdict: Verdict, of_file: int8.Int8, bounds: Bounds) -> Verdict:
    return verdict.model_copy(update={"bounds": bounds}).with_finding(finding(of_file, bounds))


def _report_of(student: System | Results) -> Results | None:
    """The report that `student` is; None where it is an evaluation.

    Raises:
        DataError: a report without verdicts.
    """
    if isinstance(student, Results):
        found = student
    else:
        if isinstance(student, Trained) or (isinstance(student, str) and isinstance(system_of(student), Trained)):
            return None
        folder = Path(os.fspath(student))
        made = manifest.read(folder)
        if made is not None or not folder.is_dir():
            return None
        found = Results.read(folder)
    if not found.verdicts:
        raise DataError(
            expected="the evaluation of a student, or a report that judges one",
            got=f"{found.path or found!r}, a comparison without a verdict",
            consequence="nothing was judged",
            remedy="give the folder that `rankdistill evaluate` wrote for the student, with --bm25, --untrained and "
            "--teacher",
        )
    return found


def _chosen(report: Results, name: str | None, one_alone: bool) -> list[Verdict]:
    """The verdicts on the students of this name, or all.

    Raises:
        ConfigError: no such student; several where there is one bundle.
    """
    found = [verdict for verdict in report.verdicts if name in (None, verdict.student)]
    if found and not (one_alone and len(found) > 1):
        return found
    raise ConfigError(
        expected=f"one of the students of this report: {', '.join(one.student for one in report.verdicts)}",
        got="none, and one bundle" if name is None else repr(name),
        consequence="nothing was judged",
        remedy="name one: --name STUDENT",
    )


def _require_no_others(
    report: Results, others: Mapping[str, System], bounds: Bounds, no_file: bool, **given_too: bool
) -> None:
    drawn, usual = bounds.model_dump(), USUAL.model_dump()
    of_file = OF_INT8 if no_file else ()
    given = [*others, *(one for one in ("keep", "level", "least_queries", *of_file) if drawn[one] != usual[one])]
    given += [name for name, is_given in given_too.items() if is_given]
    if given:
        raise _without_effect(", ".join(given), f"the report {report.path or repr(report)}, which is judged already")


def _require_effect(bundle: Model | None, data: Data | None, bounds: Bounds, of_data: Mapping[str, object]) -> None:
    given = [name for name, value in of_data.items() if value not in (None, False)]
    if bundle is None:
        given += [] if data is None else ["data"]
        given += [one for one in OF_INT8 if getattr(bounds, one) != getattr(USUAL, one)]
        if given:
            raise _without_effect(", ".join(given), "a verdict without a bundle, whose int8 file they are for")
    elif data is None and given:
        raise _without_effect(", ".join(given), "a verdict without data")


def _without_effect(settings: str, system: str) -> ConfigError:
    return ConfigError(
        expected=f"settings that have an effect on {system}",
        got=settings,
        consequence="nothing was judged",
        remedy="leave them out",
    )

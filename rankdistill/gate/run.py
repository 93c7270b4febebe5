"""Running every check over every teacher of a subject, a piece of the queries at a time."""

from __future__ import annotations

import polars as pl

from rankdistill.errors import ConfigError, StoreError
from rankdistill.gate.block import blocks
from rankdistill.gate.check import About, Check
from rankdistill.gate.outline import Outline, outline
from rankdistill.gate.registry import CHECKS
from rankdistill.gate.subject import Subject
from rankdistill.gate.verdict import Report, TeacherReport
from rankdistill.progress import Progress

STUDENTS = ("cosine", "dot")


def examine(
    subject: Subject,
    student: str = "cosine",
    loss: str | None = None,
    on_rows: Progress | None = None,
    progress: Progress | None = None,
) -> Report:
    """Every check over every teacher's scores. Memory holds one piece of the queries and a few numbers a query.

    Args:
        subject: candidates and scores.
        student: similarity that the recommended scale and temperature are for, `cosine` or `dot`.
        loss: what will be trained with, by its name in `training.config`; None: nothing is said.
        on_rows: called once with the number of rows that will be read.
        progress: called with the number of rows just read.

    Raises:
        ConfigError: another similarity.
        StoreError: a file of the store cannot be read.
    """
    if student not in STUDENTS:
        raise ConfigError(
            expected=f"a similarity: {' or '.join(STUDENTS)}",
            got=repr(student),
            consequence="nothing was checked",
            remedy="name the similarity of the student that will be trained",
        )
    try:
        found = outline(subject)
        if on_rows:
            on_rows(found.rows)
        checks = {teacher_id: _checks(about) for teacher_id, about in _abouts(subject, found, student, loss).items()}
        for rows, pieces in blocks(subject, found):
            for teacher_id, block in pieces.items():
                for check in checks[teacher_id]:
                    check.update(block, pieces)
            if progress:
                progress(rows)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StoreError(
            expected=f"readable Parquet files with the columns of a score store in {subject.title}",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            consequence="nothing was checked",
            remedy="score or import again into a new store",
        ) from error
    reports = [
        TeacherReport(
            teacher.teacher_id,
            teacher.name,
            teacher.score_kind,
            [check.verdict() for check in checks[teacher.teacher_id]],
        )
        for teacher in subject.teachers
    ]
    return Report(subject.title, student, reports)


def _abouts(subject: Subject, found: Outline, student: str, loss: str | None) -> dict[str, About]:
    names = {teacher.teacher_id: teacher.name for teacher in subject.teachers}
    return {
        teacher.teacher_id: About(
            teacher.teacher_id,
            teacher.name,
            teacher.score_kind,
            student,
            found.ranges[teacher.teacher_id],
            names,
            subject.kinds,
            found.sampled,
            found.first_ranks,
            teacher.own_names,
            loss,
        )
        for teacher in subject.teachers
    }


def _checks(about: About) -> list[Check]:
    return [make(about) for make in CHECKS.values()]

"""The report of a run whose students learn from scores, on one test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.recipe.scores.schema import BM25, INITIAL, TEACHER

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Results, Trained


def report(
    evaluations: Mapping[str, Path | Trained],
    baseline: str,
    folder: Path,
    title: str,
    recipe: Mapping[str, Any],
    teaching: Mapping[str, float],
    students: Sequence[str],
    said: Sequence[str],
    command: str,
    embedding_teacher: str | None = None,
    beside: Sequence[str] = (),
) -> Results:
    """Compare the systems, in the order given, and write `results.json` and `report.html` into `folder`.

    Args:
        evaluations: system -> its evaluation, or those of its trainings.
        baseline: the system that the others are tested against.
        folder: of the report.
        title: its heading.
        recipe: every setting, for the signature.
        teaching: system -> seconds of teaching its teacher, which its evaluation does not tell.
        students: the systems that get a verdict: quality kept, BM25 beaten or not, times faster, bytes.
        said: sentences that stand behind those.
        command: the command line, for the signature.
        embedding_teacher: the system that students are compared with where no teacher re-ranks.
        beside: systems on the way to those students, which get a sentence and no verdict.
    """
    from rankdistill.verbs.compare import compare, conclude, judge_students, with_teaching, write

    results = compare(list(evaluations.values()), baseline=evaluations[baseline], title=title, command=command)
    order = list(evaluations)
    systems = sorted(with_teaching(results, teaching).systems, key=lambda system: _place(system.name, order))
    signature = {**results.signature, "recipe": dict(recipe)}
    results = results.model_copy(update={"systems": systems, "signature": signature, "conclusions": list(said)})
    teacher = TEACHER if TEACHER in evaluations else embedding_teacher
    roles = {"bm25": BM25, "untrained": INITIAL, "teacher": teacher}
    others = {role: name for role, name in roles.items() if name is not None and name in evaluations}
    if beside:
        reranking = next((one.name for one in systems if one.name not in order), None)
        called = reranking if teacher == TEACHER else teacher if teacher in order else None
        results = conclude(results, evaluations, beside, teacher=called, words=BM25)
    return write(judge_students(results, evaluations, students, others), folder)


def folder_of(root: Path, split: str, splits: list[str]) -> Path:
    """Where the report on a test split lies: in the run's folder the first one's, else in one named for the split."""
    return root if split == splits[0] else root / split


def _place(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)

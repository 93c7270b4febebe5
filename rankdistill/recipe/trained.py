"""The evaluations of a run, those of one student's trainings together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Trained


def gathered(folders: Mapping[str, Path], student_of: Mapping[str, str]) -> dict[str, Path | Trained]:
    """System -> its evaluation, or those of its trainings, in order.

    Args:
        folders: system -> the folder of its evaluation.
        student_of: a system that is one training of a student -> what the student's trainings are called together.
    """
    from rankdistill.verbs.compare import Trained

    groups: dict[str, list[Path]] = {}
    for name, folder in folders.items():
        groups.setdefault(student_of.get(name, name), []).append(folder)
    return {name: found[0] if len(found) == 1 else Trained(name, tuple(found)) for name, found in groups.items()}

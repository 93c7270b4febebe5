"""Whether comparisons and verdicts are about the student that is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rankdistill.errors import DataError
from rankdistill.evaluation import identity
from rankdistill.evaluation.results import Results


def require_about(student: Path, reports: Sequence[Results]) -> None:
    """Raise DataError unless each report has a system whose queries the student's own weights read.

    Args:
        student: folder of a student, or of a bundle.
        reports: what `compare` or `verdict` wrote.

    Raises:
        ModelReferenceError: the student is no model.
        DataError: see above.
    """
    for report in reports:
        found = {name: identity.readers_in(one) for name, one in report.signature.get("systems", {}).items()}
        if any(one.has(identity.identities(str(student))) for one in found.values()):
            continue
        systems = ", ".join(
            f"{name} ({one.words if one.all_told else 'of which the report tells no weights'})"
            for name, one in found.items()
        )
        raise DataError(
            expected=f"a report with {student.name}, whose model has {identity.told(str(student))}, among its systems",
            got=f"{report.path or report!r}, of {systems or 'systems that it does not describe'}",
            consequence="nothing was published: the card would show the figures of another model as this student's",
            remedy="compare or judge an evaluation of this very student (RESULTS/TASK/SPLIT, or what "
            "`rankdistill evaluate --model STUDENT` wrote), and give that report",
        )

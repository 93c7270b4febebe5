"""Whether every data set that the student or a parent of it was trained on is disclosed."""

from __future__ import annotations

from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence

TESTS_IN_TRAINING_DATA = {
    "LoTTE": "LEAF's published training data hold queries and documents of its dev and test",
}
"""Task -> why a model trained on data of that name is never judged on it."""


def check(evidence: Evidence) -> Finding:
    """Refuse a data set left out, one that is not known, and results on a test that was trained on."""
    disclosure, said = evidence.disclosure, evidence.details.training_datasets
    wrong = [f"{one}; name it under `models` or `collections` of --config" for one in disclosure.unknown]
    if said is not None:
        wrong += [
            f"{name} is left out of `training_datasets`, but is {' and '.join(why)}"
            for name, why in disclosure.lacking(said).items()
        ]
    everything = set(disclosure.datasets) | set(said or ())
    published = evidence.meta.get_training_datasets() or set()
    wrong += [f"{name} is left out of what is published" for name in sorted(everything - published)]
    wrong += [
        f"{one.name} is judged on, and {why}"
        for one in evidence.tasks
        if (why := TESTS_IN_TRAINING_DATA.get(one.name)) and one.name in published
    ]
    figures: dict[str, float | int | str | None] = {"training_datasets": ", ".join(sorted(everything))}
    if wrong:
        return Finding(
            check="training_data",
            status=Status.REFUSE,
            reason="whose training data are not all disclosed",
            sentence="; ".join(wrong),
            figures=figures,
        )
    listed = ", ".join(sorted(everything)) or "none that mteb has"
    if inside := [one.name for one in evidence.tasks if one.name in published]:
        return Finding(
            check="training_data",
            status=Status.WARN,
            sentence=f"{listed}; so {', '.join(inside)} is no zero-shot result, and mteb marks it",
            figures=figures,
        )
    return Finding(check="training_data", status=Status.PASS, sentence=listed, figures=figures)

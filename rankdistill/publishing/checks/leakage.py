"""Whether test queries or documents were trained on."""

from __future__ import annotations

from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence
from rankdistill.publishing.leakage.scanning import EXACT, NEAR, Leak, Scan

SHOWN = 80
"""Characters of a text in a sentence."""


def check(evidence: Evidence) -> Finding:
    """Refuse a test query in the training texts, and a relevant test document in those of a task not disclosed.

    A retrieval task's splits share their documents by design, so documents of a disclosed task are only told.
    """
    wanted = [(one.name, test) for one in evidence.tasks for test in one.tests]
    if not evidence.lineage.texts or any(pair not in evidence.scans for pair in wanted):
        why = "no training text is at hand" if not evidence.lineage.texts else "the data of a test are not at hand"
        return Finding(
            check="leakage",
            status=Status.REFUSE,
            judged=False,
            reason="whose training texts were not held against the tests",
            sentence=f"{why}, so nothing was scanned: see `lineage` and `data`",
        )
    disclosed = evidence.meta.get_training_datasets() or set()
    wrong: list[str] = []
    told: list[str] = []
    for (name, test), scan in evidence.scans.items():
        wrong += _queries(name, test.title, scan)
        if scan.documents:
            counted = f"{len(scan.documents):,} of {scan.tested[1]:,}"
            said = f"{counted} relevant documents of {name}, {test.title} are training texts"
            (told if name in disclosed else wrong).append(
                said if name in disclosed else f"{said} ({_example(next(iter(scan.documents.values())))})"
            )
    trained = max(scan.trained for scan in evidence.scans.values())
    tested = sum(scan.tested[0] for scan in evidence.scans.values())
    figures: dict[str, float | int | str | None] = {
        "training_texts": trained,
        "test_queries": tested,
        **{f"queries_{kind}": sum(len(scan.of(kind)) for scan in evidence.scans.values()) for kind in (EXACT, NEAR)},
        "documents": sum(len(scan.documents) for scan in evidence.scans.values()),
    }
    if wrong:
        return Finding(
            check="leakage",
            status=Status.REFUSE,
            reason="which was trained on what it is tested on",
            sentence=f"{'; '.join(wrong)}. Train without them, or leave the task out",
            figures=figures,
        )
    said = f"none of {tested:,} test queries, exact or nearly, among {trained:,} training texts"
    if told:
        return Finding(
            check="leakage",
            status=Status.WARN,
            sentence=f"{said}; {'; '.join(told)}, as the splits of a disclosed task share them",
            figures=figures,
        )
    return Finding(check="leakage", status=Status.PASS, sentence=f"{said}, and no relevant document", figures=figures)


def _queries(name: str, test: str, scan: Scan) -> list[str]:
    found = []
    for kind, word in ((EXACT, "stand"), (NEAR, "stand nearly")):
        if leaks := scan.of(kind):
            found.append(
                f"{len(leaks):,} of {scan.tested[0]:,} test queries of {name}, {test} {word} in the training texts "
                f"({_example(leaks[0])})"
            )
    return found


def _example(leak: Leak) -> str:
    text = leak.text if len(leak.text) <= SHOWN else f"{leak.text[:SHOWN]}..."
    near = "" if leak.kind == EXACT else f", similarity {leak.similarity:.2f}"
    return f"as {leak.key!r}: {text!r} in {leak.where}{near}"

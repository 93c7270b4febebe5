"""Whether the results are of the revisions of the data that mteb pins, on all that it evaluates."""

from __future__ import annotations

from rankdistill.evaluation.tasks import local_data
from rankdistill.evaluation.tasks.catalogue import SUBSET
from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence, Judged, TaskFile


def check(evidence: Evidence) -> Finding:
    """Refuse results of another revision, of other data, or of a part of the task; the leaderboard would skip them."""
    wrong, unseen = [], []
    for one in evidence.tasks:
        wrong += [f"{one.name}: {what}" for what in problems(one)]
        if not one.is_at_hand:
            unseen.append(one.name)
    if wrong:
        return Finding(
            check="data",
            status=Status.REFUSE,
            reason="which was evaluated on other data",
            sentence=f"{'; '.join(wrong)}. mteb skips results on another revision: they are left out",
        )
    if unseen:
        return Finding(
            check="data",
            status=Status.REFUSE,
            judged=False,
            reason="whose test data are not at hand",
            sentence=f"the data of {', '.join(unseen)} were not found: say where they lie, --data-root DIR",
        )
    told = ", ".join(f"{one.name} {one.task.metadata.revision[:12]}" for one in evidence.tasks)
    trusted = [f"{one.name} {test.title}" for one in evidence.tasks for test in uncounted(one)]
    but = f"; mteb publishes no counts of {', '.join(trusted)}: taken on trust" if trusted else ""
    return Finding(check="data", status=Status.PASS, sentence=f"the pinned revisions, by their counts too: {told}{but}")


def uncounted(one: TaskFile) -> list[Judged]:
    """The tests of a task of which mteb publishes no counts."""
    return [test for test in one.tests if local_data.published_counts(one.task, test.split, test.subset) is None]


def kept(evidence: Evidence) -> list[TaskFile]:
    """The tasks whose results are published: those of the pinned data."""
    return [one for one in evidence.tasks if not problems(one)]


def problems(one: TaskFile) -> list[str]:
    """What is wrong with the data of one task; none where that is the pinned revision."""
    metadata, content = one.task.metadata, one.content
    found = []
    if content.get("task_name") != one.name:
        found.append(f"the file says it is of {content.get('task_name')}")
    if content.get("dataset_revision") != metadata.revision:
        found.append(f"evaluated on revision {content.get('dataset_revision')}, mteb pins {metadata.revision}")
    if lacking := [split for split in metadata.eval_splits if split not in one.splits]:
        found.append(f"no scores of the split {', '.join(lacking)}, which mteb evaluates")
    for split in one.splits:
        there = {test.subset for test in one.tests if test.split == split}
        if absent := [subset for subset in metadata.hf_subsets if subset not in there]:
            found.append(f"no scores of {', '.join(absent)}, {split}, which mteb evaluates")
    for test, dataset in one.known:
        found += [
            what if test.subset == SUBSET else f"{test.subset}, {what}"
            for what in local_data.differences(one.task, dataset, [test.split], test.subset)
        ]
    for test, evaluation in one.evaluations.items():
        if (held := one.datasets.get(test.subset)) is None:
            continue
        if evaluation.signature.get("data_hash") != held.fingerprint:
            found.append(f"{test.title} was evaluated on other documents or queries than {held.path.name} has now")
        elif evaluation.signature.get("qrels_hash") != held.qrels_hash(test.split):
            found.append(f"{test.title} was evaluated on other judgements than {held.path.name} has now")
    return found

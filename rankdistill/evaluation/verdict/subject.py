"""Whether what an int8 file is judged with belongs to the student that the verdict is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill.data import Dataset
from rankdistill.data.beir import DANGLING, LEFT_OUT
from rankdistill.errors import DataError
from rankdistill.evaluation import identity
from rankdistill.evaluation.verdict.evidence import BM25, TEACHER, UNTRAINED
from rankdistill.notes import note

Signatures = Sequence[Mapping[str, Any]]
"""Of the evaluations of a student, one a training."""


def signatures_in(systems: Mapping[str, Any], student: str) -> list[Mapping[str, Any]]:
    """The signatures of a student's evaluations in a report; none where the report does not keep them.

    Args:
        systems: system -> signature, or one a training; `signature["systems"]` of the report.
        student: as its verdict calls it. Where two systems have one name, tables add their folders' to it.
    """
    if student in systems:
        return identity.evaluated(systems[student])
    return [one for name in systems if name.startswith(f"{student} (") for one in identity.evaluated(systems[name])]


def require_bundle(bundle: str, student: str, signatures: Signatures) -> None:
    """Raise DataError where `bundle` is another model's than the evaluated one; a note where that cannot be known.

    Args:
        bundle: folder of a bundle, or a model.
        student: what the verdict calls it.
        signatures: of its evaluations; of several trainings the bundle may be any one's.

    Raises:
        ModelReferenceError: there is no such model.
        DataError: the bundle is unfinished.
    """
    readers = identity.readers_in(signatures)
    known = readers.has(identity.identities(bundle))
    if known is None:
        note(
            f"the evaluation of {student} does not say which model it is of: whether the int8 file of {bundle} is that "
            "student's is not known"
        )
    if known is False:
        raise DataError(
            expected=f"the bundle of {student}, whose queries were read by {readers.words}",
            got=f"{bundle}, whose query model has {identity.told(bundle)}",
            consequence="nothing was judged: the int8 file of one student says nothing of another",
            remedy=f"give the bundle of {student}; or evaluate the model of this bundle, and judge that; of a report "
            "that judges several students, name the bundle's: --name STUDENT",
        )


def require_roles(student: str, signatures: Signatures, others: Mapping[str, tuple[str, Signatures]]) -> None:
    """Raise DataError where an evaluation cannot be what it was given as; one that tells nothing may be anything.

    BM25 compares words; a student has a model, and so has the student before training; no student is its own teacher.
    One that has the weights of its start is no mistake: it learnt nothing, and the verdict says so.

    Args:
        student: what the verdict calls it.
        signatures: of its evaluations.
        others: role (`evidence.OTHERS`) -> what it is called, and the signatures of its evaluations.
    """
    mine = identity.readers_in(signatures)
    if mine.all_told and not mine.weights:
        raise _other_role("the student", "a model", student, "BM25, which compares words")
    for role, (name, told) in others.items():
        readers = identity.readers_in(told)
        if not readers.all_told:
            continue
        if role == BM25 and readers.weights:
            raise _other_role("--bm25", "BM25, which compares words", name, f"a model's, with {readers.words}")
        if role == UNTRAINED and not readers.weights:
            raise _other_role("--untrained", "the student before training", name, "BM25, which compares words")
        if role == TEACHER and mine.all_told and readers.weights == mine.weights and mine.weights:
            raise _other_role("--teacher", "the teacher", name, f"the student itself, {readers.words}")


def _other_role(given: str, expected: str, name: str, got: str) -> DataError:
    return DataError(
        expected=f"{given} to be the evaluation of {expected}",
        got=f"{name}: {got}",
        consequence="nothing was judged: the student would be held against something else than the verdict says",
        remedy="look which folder is which: `rankdistill list FOLDER` tells what was evaluated in each",
    )


def require_data(dataset: Dataset, split: str, student: str, signatures: Signatures) -> None:
    """Raise DataError unless `dataset` and `split` are what a student was evaluated on; a note where that is not told.

    Args:
        dataset: whose queries an int8 file is judged on.
        split: of these.
        student: what the verdict calls it.
        signatures: of its evaluations, which are all of the same data.

    Raises:
        DataError: see above; or no such split.
    """
    told = signatures[0] if signatures else {}
    if "data_hash" not in told:
        note(f"the evaluation of {student} does not say what data it is of: whether {dataset.name} is, is not known")
        return
    counts = dataset.decisive(split)
    here = {"data": dataset.fingerprint, "split": split, "judgements": dataset.qrels_hash(split)}
    there = {"data": told["data_hash"], "split": told.get("split"), "judgements": told.get("qrels_hash")}
    counted = {LEFT_OUT: "documents of queries' own ids left out", DANGLING: "judgements of absent documents"}
    here |= {words: str(counts.get(name, 0)) for name, words in counted.items()}
    there |= {words: str(told.get(name, 0)) for name, words in counted.items()}
    differing = [name for name, value in here.items() if value != there[name]]
    if differing:
        raise DataError(
            expected=f"the data that {student} was evaluated on: {_told(there, differing)} ({told.get('data')}, "
            f"{told.get('split')})",
            got=f"{dataset.path}, {split}: {_told(here, differing)}",
            consequence="nothing was judged: figures of other queries would stand beside the student's",
            remedy="give the --data and the --split of its evaluation, and --ignore-identical-ids where that had it",
        )


def _told(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {str(values[name])[:12]}" for name in names)

"""Scoring again what is damaged or lost of a score store."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, locations, manifest
from rankdistill.errors import StoreError, TeacherError
from rankdistill.manifest import Manifest
from rankdistill.progress import Progress
from rankdistill.stores import keying
from rankdistill.stores.fidelity import FidelityCheck
from rankdistill.stores.keys import text_hasher
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.made_again import unit_of
from rankdistill.stores.missing import count_missing
from rankdistill.stores.writer import LOCK_WAIT, ScoreWriter
from rankdistill.teachers.base import PairTeacher

ASIDE = ".damaged-"
"""How the name of a damaged shard begins until it is scored again."""

NOT_SCORED = ("table", "ensemble")
"""Kinds of teachers whose scores were not made here from texts: what gave them gives them again."""


@dataclass(frozen=True)
class Repaired:
    """What was done for one teacher.

    Args:
        teacher_id: whose scores they are.
        shards: that were damaged or missing.
        scored: pairs that were scored again.
        same: whether every file is what it was before, to the byte.
    """

    teacher_id: str
    shards: int
    scored: int
    same: bool


def wrong_shards(layout: Layout, made: Manifest) -> dict[str, list[str]]:
    """Teacher id -> the names of its shards that are damaged or missing."""
    found: dict[str, list[str]] = {}
    for name in sorted(made.outputs):
        if name.startswith("scores/") and integrity.Recorded(layout.root, name, made).state(whole=True) != "whole":
            found.setdefault(name.split("/")[1], []).append(name)
    return found


def repair(
    root: Path, open_teacher: Callable[[str, Mapping[str, Any]], PairTeacher], progress: Progress | None = None
) -> list[Repaired]:
    """Score again the pairs of every damaged or missing shard of a finished store; nothing where there is none.

    Pairs are those of the store's own candidates. A teacher that had scored some candidate tables alone gets the pairs
    of those of which it has other scores still. What is scored again has the name that it had, where its pairs are the
    same. Killed, the same call goes on.

    Args:
        root: the store's folder.
        open_teacher: `(teacher id, fingerprint)` -> the teacher.
        progress: called with the number of pairs just scored.

    Raises:
        DamagedError: candidates, texts or teachers of the store are damaged or missing: what to score is not known.
        StoreError: the scores came from elsewhere; or the store holds ids only.
        TeacherError: the teacher is another one.
    """
    layout, before = Layout(root), manifest.expect(root, ARTEFACT, "score")
    wrong = wrong_shards(layout, before)
    for name in before.outputs:
        if wrong and not name.startswith("scores/"):
            integrity.Recorded(root, name, before).require(whole=True)
    return [_repair(layout, before, teacher_id, names, open_teacher, progress) for teacher_id, names in wrong.items()]


def _repair(
    layout: Layout,
    before: Manifest,
    teacher_id: str,
    names: list[str],
    open_teacher: Callable[[str, Mapping[str, Any]], PairTeacher],
    progress: Progress | None,
) -> Repaired:
    fingerprint = before.parameters["teachers"][teacher_id]
    if fingerprint.get("kind") in NOT_SCORED or keying.keyed_by(layout) == "ids":
        raise StoreError(
            expected=f"{names[0]} of {layout.root} to be a teacher's scores of texts in the store",
            got=f"scores of the kind {fingerprint.get('kind')!r}, which came from elsewhere",
            consequence="nothing was repaired",
            remedy="run what made them again: `rankdistill import` writes what is damaged anew; a store of an ensemble "
            f"is made again as a whole ({before.command or 'the call that made it'})",
        )
    teacher = open_teacher(teacher_id, fingerprint)
    if teacher.teacher_id != teacher_id:
        raise TeacherError(
            expected=f"the teacher {teacher_id}",
            got=f"{teacher.teacher_id}: its weights, settings or back end differ",
            consequence="nothing was repaired: scores of two teachers would be mixed",
            remedy="give the teacher that the store was scored with (--teacher)",
        )
    with files.exclusive(layout.root, LOCK_WAIT):
        for name in names:
            path = layout.root / name
            if not locations.is_local(path):
                locations.file_system(path).rm_file(locations.key(path))
            elif path.is_file():
                os.replace(path, path.with_name(f"{ASIDE}{path.name}"))
    scored = sum(
        _score(layout, before, table, teacher, frozenset(names), progress) for table in _tables(layout, teacher_id)
    )
    with files.exclusive(layout.root, LOCK_WAIT):
        same = _named_as_before(layout, before, names)
        for name in names:
            if locations.is_local(path := layout.root / name):
                path.with_name(f"{ASIDE}{path.name}").unlink(missing_ok=True)
    return Repaired(teacher_id, len(names), scored, same)


def _tables(layout: Layout, teacher_id: str) -> list[Path]:
    """The candidate tables that the teacher is to score again."""
    queries, documents = StoredTexts(layout.queries), StoredTexts(layout.documents)
    hash_of = (text_hasher(queries.__getitem__), text_hasher(documents.__getitem__))
    counts = {table: count_missing(layout, table, teacher_id, hash_of) for table in layout.candidate_tables()}
    partly = [table for table, (wanted, missing) in counts.items() if 0 < missing < wanted]
    return partly or [table for table, (_, missing) in counts.items() if missing]


def _score(
    layout: Layout,
    before: Manifest,
    table: Path,
    teacher: PairTeacher,
    anew: frozenset[str],
    progress: Progress | None,
) -> int:
    dataset = next((content for name, content in before.inputs.items() if name.startswith("dataset:")), "")
    writer = ScoreWriter(
        layout.root,
        queries=StoredTexts(layout.queries),
        documents=StoredTexts(layout.documents),
        candidates=table,
        teacher=teacher,
        dataset_fingerprint=dataset,
        unit_size=int(before.parameters["unit_size"]),
        fidelity=FidelityCheck(0.0),
        anew=anew,
    )
    return writer.run(command=before.command, progress=progress).scored


def _named_as_before(layout: Layout, before: Manifest, names: list[str]) -> bool:
    """Give the new shards the names of those whose pairs they have; whether the store is what it was, to the byte."""
    after = manifest.expect(layout.root, ARTEFACT, "score")
    if not locations.is_local(layout.root):
        return dict(after.outputs) == dict(before.outputs)
    outputs = dict(after.outputs)
    new = {unit_of(name): name for name in outputs if name not in before.outputs}
    for name in names:
        if name not in outputs and (held := new.get(unit_of(name))) is not None:
            os.replace(layout.root / held, layout.root / name)
            outputs[name] = outputs.pop(held)
    same = outputs == dict(before.outputs)
    replace(before if same else after, outputs=outputs).write(layout.root)
    return same

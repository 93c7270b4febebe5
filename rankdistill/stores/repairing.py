"""Scoring again what is damaged or lost of a score store.

A repair puts each damaged shard aside, and an empty file for a lost one: its name tells what the shard is called. The
pairs are scored as missing ones are, into shards that may be called otherwise, and the store has a manifest of these;
then they get the names that they had, and another manifest. Killed anywhere, the next repair finds out what is left by
the digest of the pairs that the name of a shard ends with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, locations, manifest
from rankdistill.errors import StoreError, TeacherError
from rankdistill.manifest import Manifest
from rankdistill.progress import Progress
from rankdistill.stores import keying
from rankdistill.stores.fidelity import FidelityCheck
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.made_again import unit_of
from rankdistill.stores.missing import count_missing, forget_plan
from rankdistill.stores.plan import read_plan
from rankdistill.stores.writer import LOCK_WAIT, ScoreWriter
from rankdistill.teachers.base import PairTeacher

ASIDE = ".damaged-"
"""How the name of a damaged or lost shard begins until it is scored again."""

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
        left: names of shards that are missing still, as nothing in the store tells what pairs they had.
    """

    teacher_id: str
    shards: int
    scored: int
    same: bool
    left: tuple[str, ...] = ()


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
    layout = Layout(root)
    finish_killed(layout)
    before = manifest.expect(root, ARTEFACT, "score")
    wrong = wrong_shards(layout, before)
    for name in before.outputs:
        if wrong and not name.startswith("scores/"):
            integrity.Recorded(root, name, before).require(whole=True)
    texts = StoredTexts(layout)
    done = [
        _repair(layout, before, teacher_id, names, texts, open_teacher, progress) for teacher_id, names in wrong.items()
    ]
    with files.exclusive(root, LOCK_WAIT):
        _remove(put_aside(layout))
    return done


def put_aside(layout: Layout) -> list[Path]:
    """What repairs, killed ones too, have put aside of a store; an object store has none."""
    return locations.listing(layout.root, f"scores/*/{ASIDE}*") if locations.is_local(layout.root) else []


def finish_killed(layout: Layout) -> None:
    """Do what a killed repair had left to do, but for the scoring: shards have the names again that they had before it.

    Raises:
        LockedError: another process held the store's lock for too long.
    """
    if not locations.is_local(layout.root):
        return
    with files.exclusive(layout.root, LOCK_WAIT):
        made = manifest.expect(layout.root, ARTEFACT, "score")
        for teacher_id in {path.parent.name for path in put_aside(layout)}:
            _forget_done(layout, made, teacher_id)
        _find_again(layout, made)
        aside = {_name_of(layout, path): path for path in put_aside(layout)}
        outputs = _renamed(layout, made.outputs, [name for name in aside if name not in made.outputs])
        if outputs != dict(made.outputs):
            replace(made, outputs=outputs).write(layout.root)
        _remove(path for name, path in aside.items() if (layout.root / name).is_file())


def _forget_done(layout: Layout, made: Manifest, teacher_id: str) -> None:
    """Remove the plan of a repair that was killed behind its manifest: every shard there is has its file."""
    names = [name for name in made.outputs if name.startswith(f"scores/{teacher_id}/")]
    if layout.plan(teacher_id).parent.is_dir() and all((layout.root / name).is_file() for name in names):
        forget_plan(layout, teacher_id)


def _find_again(layout: Layout, made: Manifest) -> None:
    """Rename the shards that a killed repair has renamed since it wrote the manifest, back to the names there.

    Where there is a plan, it has not come so far: what it has scored is taken up.
    """
    teachers = [known for known in layout.teacher_ids() if read_plan(layout.plan(known)) is None]
    shards = [path for teacher_id in teachers for path in layout.shards(teacher_id)]
    there = {path.relative_to(layout.root).as_posix(): path for path in shards}
    others = {unit_of(name): path for name, path in there.items() if name not in made.outputs}
    for name, content in made.outputs.items():
        held = others.get(unit_of(name))
        if held is not None and name.startswith("scores/") and name not in there:
            # what has these pairs and other bytes is damaged
            called = name if integrity.is_content(held, content) else f"{Path(name).parent}/{ASIDE}{Path(name).name}"
            os.replace(held, layout.root / called)


def _renamed(layout: Layout, outputs: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The outputs once the shards among them that have the pairs of `names` are called so."""
    found = dict(outputs)
    of_unit = {unit_of(name): name for name in outputs if name.startswith("scores/")}
    for name in names:
        held = of_unit.get(unit_of(name))
        if name not in outputs and held is not None and (layout.root / held).is_file():
            os.replace(layout.root / held, layout.root / name)
            found[name] = found.pop(held)
    return found


def _name_of(layout: Layout, aside: Path) -> str:
    """The name in the store of a shard that was put aside."""
    return aside.with_name(aside.name.removeprefix(ASIDE)).relative_to(layout.root).as_posix()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with files.output_errors(path):
            path.unlink(missing_ok=True)


def _repair(
    layout: Layout,
    before: Manifest,
    teacher_id: str,
    names: list[str],
    texts: StoredTexts,
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
            f"is made again as a whole ({integrity.again_of(layout.root, before)})",
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
            aside = path.with_name(f"{ASIDE}{path.name}")
            if not locations.is_local(path):
                if locations.is_file(path):
                    locations.file_system(path).rm_file(locations.key(path))
            elif path.is_file():
                os.replace(path, aside)
            else:
                files.make_folder(aside.parent)
                with files.output_errors(aside):
                    aside.touch()
    scored = sum(
        _score(layout, before, table, teacher, frozenset(names), texts, progress)
        for table in _tables(layout, teacher_id, texts)
    )
    with files.exclusive(layout.root, LOCK_WAIT):
        same, left = _named_as_before(layout, before, names)
    return Repaired(teacher_id, len(names), scored, same, left)


def _tables(layout: Layout, teacher_id: str, texts: StoredTexts) -> list[Path]:
    """The candidate tables that the teacher is to score again; any where no pair is missing, for a new manifest."""
    counts = {table: count_missing(layout, table, teacher_id, texts.hash_of) for table in layout.candidate_tables()}
    partly = [table for table, (wanted, missing) in counts.items() if 0 < missing < wanted]
    return partly or [table for table, (_, missing) in counts.items() if missing] or layout.candidate_tables()[:1]


def _score(
    layout: Layout,
    before: Manifest,
    table: Path,
    teacher: PairTeacher,
    anew: frozenset[str],
    texts: StoredTexts,
    progress: Progress | None,
) -> int:
    dataset = next((content for name, content in before.inputs.items() if name.startswith("dataset:")), "")
    writer = ScoreWriter(
        layout.root,
        queries=texts.queries,
        documents=texts.documents,
        candidates=table,
        teacher=teacher,
        dataset_fingerprint=dataset,
        unit_size=int(before.parameters["unit_size"]),
        fidelity=FidelityCheck(0.0),
        anew=anew,
        stored=texts,
    )
    return writer.run(command=before.command, progress=progress).scored


def _named_as_before(layout: Layout, before: Manifest, names: list[str]) -> tuple[bool, tuple[str, ...]]:
    """Give the new shards the names of those whose pairs they have.

    Returns:
        Whether the store is what it was, to the byte; and which of `names` are missing still.
    """
    after = manifest.expect(layout.root, ARTEFACT, "score")
    outputs = dict(after.outputs)
    if locations.is_local(layout.root):
        outputs = _renamed(layout, outputs, names)
    left = tuple(name for name in names if name in outputs and not locations.is_file(layout.root / name))
    same = outputs == dict(before.outputs) and not left
    if locations.is_local(layout.root):
        replace(before if same else after, outputs=outputs).write(layout.root)
    return same, left

"""Rewrites of all questions, beside the sessions that these are in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import files, locations, manifest, plain_json
from rankdistill.data.beir import UNJUDGED
from rankdistill.errors import DataError, StaleOutputError, TeacherError
from rankdistill.making import REWRITING, making
from rankdistill.notes import note
from rankdistill.progress import Progress, Reporter
from rankdistill.rewriting.asking import rewrite_all
from rankdistill.rewriting.cache import Cache
from rankdistill.rewriting.result import FILE_NAME, Rewritten
from rankdistill.rewriting.rewriter import Rewriter
from rankdistill.sessions import Sessions, rewrites
from rankdistill.sessions.schema import Asked

WORK, BEGUN, SOME = REWRITING, "rewriter.json", "some.txt"
"""In the folder of the rewrites, until these are done: what was made so far, who makes it, and that there is some of it
where it lies in a cache elsewhere."""


def build(
    folder: Path,
    sessions: Sessions,
    rewriter: Rewriter,
    name: str,
    splits: Sequence[str],
    *,
    cache: Path | None,
    unit_size: int,
    reporter: Reporter,
    command: str = "",
) -> Rewritten:
    """Make the rewrites, unless they are there; interrupted at will, the same call goes on.

    Args:
        folder: of the sessions, beside which they lie.
        sessions: whose questions.
        rewriter: makes them.
        name: of the rewrites.
        splits: whose questions, in file order, whatever the order of the splits; none: of all.
        cache: where rewrites of costly rewriters stay for other calls; None: with these, until they are done.
        unit_size: questions at a time.
        reporter: is told how far it is.
        command: for the manifest.

    Raises:
        DataError: no such split, or the sessions have rewrites of that name in their own file.
        TeacherError: the rewriter fails; what it gave is kept.
        StaleOutputError: rewrites of that name were made, or begun, with another rewriter or of other questions.
        OutputError: the folder cannot be written to.
    """
    for split in splits:
        sessions.require_split(split)
    asked = [one for one in sessions.asked() if not splits or (one.session.split or UNJUDGED) in splits]
    out = rewrites.folder_of(folder, name)
    if name in sessions.rewriters and not (out / manifest.FILE_NAME).is_file():
        raise DataError(
            expected=f"another name than those of rewrites there are: {', '.join(sessions.rewriters)}",
            got=repr(name),
            consequence="nothing was rewritten: two kinds of rewrites would have one name",
            remedy="choose another --name",
        )
    fingerprint = dict(rewriter.fingerprint)
    made_by = manifest.Manifest(
        rewrites.ARTEFACT,
        {"conversations": manifest.digest([[one.turn_id, one.said] for one in asked])},
        {"name": name, "rewriter": fingerprint, "splits": sorted(set(splits))},
        manifest.versions_of("transformers", "torch") if rewriter.costly else manifest.versions_of(),
        command,
    )
    with making(out, made_by) as made:
        if made.current:
            files.remove_folder(out / WORK)
            return Rewritten.read(folder, name)
        _require_own(out / WORK, fingerprint)
        kept = Cache(cache or out / WORK, fingerprint) if rewriter.costly else None
        with reporter.stage("rewriting", "questions", len(asked)) as stage:
            told: Progress = stage if cache is None or kept is None else _marking(out / WORK / SOME, asked, stage)
            texts = rewrite_all(rewriter, asked, unit_size, kept, told)
        found = {one.turn_id: text for one, text in zip(asked, texts, strict=True) if text.strip()}
        _tell(asked, found, rewriter)
        result = Rewritten.of(folder, name, str(fingerprint["kind"]), asked, found, rewriter.costly)
        files.write_text(out / FILE_NAME, result.text)
        made.wrote([rewrites.write(out, found), out / FILE_NAME])
    files.remove_folder(out / WORK)
    return result


def _require_own(work: Path, fingerprint: Mapping[str, Any]) -> None:
    """Note who makes these rewrites; StaleOutputError where another rewriter began, and wrote some."""
    path = work / BEGUN
    some = any(locations.listing(work, pattern) for pattern in ("**/*.parquet", "**/*.txt"))
    written = json.dumps(fingerprint, indent=1, sort_keys=True, ensure_ascii=False, default=dict) + "\n"
    if some and path.is_file() and (before := path.read_text(encoding="utf-8")) != written:
        old, new = _object(before), _object(written)
        differs = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        raise StaleOutputError(
            expected="the rewriter that these rewrites were begun with",
            got="; ".join(f"{key} was {old.get(key)!r:.60}, is now {new.get(key)!r:.60}" for key in differs),
            consequence="nothing was rewritten: rewrites of two rewriters would have one name",
            remedy=f"go on with the first one, choose another --name, or remove {work.parent}",
        )
    files.make_folder(work)
    files.write_text(path, written)


def _marking(path: Path, asked: Sequence[Asked], progress: Progress) -> Progress:
    """`progress`, which notes in `path` that a rewriter wrote something: more is done than there are openings."""
    openings, finished, noted = sum(len(one.said) == 1 for one in asked), 0, False

    def told(done: int) -> None:
        nonlocal finished, noted
        finished += done
        if finished > openings and not noted:
            files.write_text(path, "")
            noted = True
        progress(done)

    return told


def _object(text: str) -> dict[str, Any]:
    try:
        found = plain_json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tell(asked: Sequence[Asked], found: Mapping[str, str], rewriter: Rewriter) -> None:
    """Notes on what has no rewrite, and on what was not read whole; TeacherError where there is none at all."""
    kind = rewriter.fingerprint["kind"]
    if asked and not found:
        raise TeacherError(
            expected=f"rewrites from {kind}",
            got=f"none for {len(asked):,} questions",
            consequence="nothing was written",
            remedy="take another model, or change its prompt",
        )
    if without := [one.turn_id for one in asked if one.turn_id not in found]:
        note(
            f"{kind} gave no rewrite of {len(without):,} of {len(asked):,} questions, as of {', '.join(without[:3])}; "
            "who uses these rewrites is told, and decides what becomes of such questions"
        )
    if rewriter.shortened:
        note(
            f"{rewriter.shortened:,} conversations are longer than {kind} reads: their oldest turns, or the end "
            "of such a question, were left out"
        )

"""Reading sessions: a folder with `sessions.jsonl`, or such a file."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rankdistill.data import json_lines, lines
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.beir import UNJUDGED
from rankdistill.data.fields import get, sequence
from rankdistill.data.values import RowError, identifier, label, string
from rankdistill.errors import DataError
from rankdistill.sessions import rewrites
from rankdistill.sessions.collection import Sessions
from rankdistill.sessions.schema import Session, Turn, check
from rankdistill.sessions.writing import FILE_NAME


def is_sessions(path: Path) -> bool:
    """Whether a folder holds sessions."""
    return any((path / name).is_file() for name in (FILE_NAME, f"{FILE_NAME}.gz"))


def read(path: str | Path, mode: Mode = "strict") -> Sessions:
    """The sessions at `path`, with the rewrites that lie beside them.

    Args:
        path: a folder with `sessions.jsonl`, as `rankdistill data convert` makes it, or such a file; plain or `.gz`. A
            file of that name stands for its folder, with the rewrites and documents that lie there.
        mode: `strict` raises if any session is bad; `lenient` leaves it out.

    Raises:
        DataError: nothing is there, it cannot be read, or (strict) sessions are bad: without turns, with turns out of
            order, with an id that is there already, with rewrites or judged documents of no query.
    """
    place = Path(path)
    file = file_of(place)
    if file == place and lines.find(file.parent, FILE_NAME) == file:  # what lies beside it belongs to it
        place = file.parent
    bad, digest, found = BadRows(mode), hashlib.sha256(), list[Session]()
    sessions, turns = set[str](), set[str]()
    for number, line in lines.numbered(file, digest):
        if not line.strip():
            continue
        try:
            session = parse(json_lines.parse_object(line))
            ids = {one.turn_id for one in session.asked}
            if session.session_id in sessions:
                raise RowError(f"duplicate session {session.session_id!r}")
            if ids & turns:
                raise RowError(f"duplicate turn id {min(ids & turns)!r}")
        except RowError as error:
            bad.add(file, number, str(error))
            continue
        sessions.add(session.session_id)
        turns |= ids
        found.append(session)
    bad.finish(f"sessions in {file}")
    if not found:
        raise DataError(
            expected=f"sessions in {file}",
            got="; ".join(["none", *bad.reports[:1]]),
            consequence="nothing was run",
            remedy="give the right file; `rankdistill data convert` makes one of published conversations",
        )
    made = {name: rewrites.read(place, name) for name in rewrites.finished(place)}
    return Sessions(place, [_with(session, made) for session in found], digest.hexdigest(), tuple(bad.reports))


def rewrites_of(folder: Path, turns: Collection[str]) -> list[str]:
    """Every rewrite of these questions, whoever wrote it; none where the folder holds no sessions.

    `evaluate` asks a judged question by its rewrites too, so they are held out where the question is.

    Raises:
        DataError: what lies there are no sessions.
    """
    if not turns or not is_sessions(folder):
        return []
    asked = [one.turn for one in read(folder, "lenient").asked() if one.turn_id in turns]
    return [text for turn in asked for several in turn.rewrites.values() for text in several]


def parse(record: Mapping[str, Any]) -> Session:
    """A session from its JSON object; RowError where it is none, see `check`. The split `unjudged` is no split."""
    split, source = record.get("split"), record.get("source") or {}
    if not isinstance(source, dict):
        raise RowError(f"'source' is {source!r:.80}, not an object")
    session = Session(
        identifier(record.get("session_id"), "'session_id'"),
        tuple(_turn(one, place) for place, one in enumerate(sequence(record.get("turns"), "'turns'"), start=1)),
        None if split is None or split == UNJUDGED else identifier(split, "'split'"),
        source,
    )
    check(session)
    return session


def _turn(value: Any, place: int) -> Turn:
    try:
        role = get(value, "role")
        turn_id, metadata = value.get("turn_id"), value.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise RowError(f"'metadata' is {metadata!r:.80}, not an object")
        return Turn(
            str(role),
            string(value.get("text"), "'text'").strip(),
            None if turn_id is None else identifier(turn_id, "'turn_id'"),
            dict(_rewrites(value.get("rewrites") or {})),
            dict(_gold(value.get("gold") or {})),
            metadata,
        )
    except RowError as error:
        raise RowError(f"turn {place}: {error}") from error


def _rewrites(value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(value, dict):
        raise RowError(f"'rewrites' is {value!r:.80}, not an object")
    for name, given in value.items():
        texts = [given] if isinstance(given, str) else sequence(given, f"the rewrites {name!r}")
        kept = tuple(text for one in texts if (text := string(one, f"a rewrite {name!r}").strip()))
        if kept:
            yield identifier(name, "name of rewrites"), kept


def _gold(value: Any) -> Iterator[tuple[str, int]]:
    if not isinstance(value, dict):
        raise RowError(f"'gold' is {value!r:.80}, not an object of document and label")
    for doc_id, given in value.items():
        yield identifier(doc_id, "document id"), max(0, label(given, f"label of {doc_id!r}"))


def _with(session: Session, made: Mapping[str, Mapping[str, str]]) -> Session:
    """The session with rewrites that were made."""
    if not made:
        return session
    return replace(
        session,
        turns=tuple(
            replace(
                turn,
                rewrites={
                    **turn.rewrites,
                    **{name: (found[turn.turn_id],) for name, found in made.items() if turn.turn_id in found},
                },
            )
            if turn.turn_id is not None
            else turn
            for turn in session.turns
        ),
    )


def file_of(place: Path) -> Path:
    """The file of sessions at `place`; DataError where there is none."""
    found = lines.find(place, FILE_NAME) if place.is_dir() else place if place.is_file() else None
    if found is None:
        raise DataError(
            expected=f"a folder with {FILE_NAME}, or such a file",
            got=f"{place}: " + (f"a folder without {FILE_NAME}" if place.is_dir() else "nothing is there"),
            consequence="nothing was run",
            remedy="`rankdistill data convert --from qrecc|canard|topiocqa|cast|ikat|mtrag|beir --input PATH --out "
            "SESSIONS` makes one of conversations",
        )
    return found

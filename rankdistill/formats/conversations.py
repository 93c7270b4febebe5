"""Turns of conversations with their history and rewrites, one JSON line each.

The schema is that of a BEIR `queries.jsonl` with more fields, so a plain reader sees the utterance as the query:
`{_id, text, history: [{role, text}], rewrites: {kind: [text, ...]}, metadata}`, and `gold` (document -> label) where
the file names judged documents. Read as well: `utterance` for `text`; rewrites in fields of their own (`rewrite`,
`auto_rewrite`, `llm_rewrite`, ...); and turns whose history lies in those before them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from rankdistill.data import json_lines, lines
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.values import label, whole
from rankdistill.data.writer import write_lines
from rankdistill.errors import DataError
from rankdistill.formats.rows import RowError, get, identifier, sequence, text

ROLES = ("user", "system")

SESSION = "session"
"""Key of a turn's metadata that names its conversation, where its id does not."""

_NUMBERED = re.compile(r"(.+)_[0-9]+(?:-[0-9]+)?", re.DOTALL)


class Message(NamedTuple):
    """What was said before: `role` is `user` or `system`; a system that had no answer has an empty text."""

    role: str
    text: str


@dataclass(frozen=True)
class Turn:
    """What a user says, in its conversation.

    Args:
        turn_id: of the turn; the query id.
        utterance: the words, which may need the history to be understood.
        history: earlier messages, oldest first.
        rewrites: kind (`rewrite`: by a human) -> self-contained versions of the utterance, the first preferred.
        metadata: any other JSON values.
        gold: doc_id -> label of judged documents, where the file itself names some.
    """

    turn_id: str
    utterance: str
    history: tuple[Message, ...] = ()
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    gold: Mapping[str, int] = field(default_factory=dict)


def read(path: Path, mode: Mode = "strict") -> tuple[list[Turn], list[str]]:
    """The turns of a file in its order, and the reports of the rows left out (none if strict).

    Args:
        path: a JSON-lines file, plain or `.gz`, or a folder with `queries.jsonl`.
        mode: `strict` raises if any row is bad; `lenient` leaves it out.

    Raises:
        DataError: the file cannot be read, or (strict) has bad rows.
    """
    found = (lines.find(path, "queries.jsonl") or path / "queries.jsonl") if path.is_dir() else path
    bad, turns, has_history = BadRows(mode), [], False
    seen: set[str] = set()
    for number, line in lines.numbered(found):
        if not line.strip():
            continue
        try:
            record = json_lines.parse_object(line)
            turn = parse(record)
            if turn.turn_id in seen:
                raise RowError(f"duplicate id {turn.turn_id!r}")
        except RowError as error:
            bad.add(found, number, str(error))
            continue
        has_history = has_history or "history" in record
        seen.add(turn.turn_id)
        turns.append(turn)
    bad.finish(f"turns of conversations in {found}")
    if not turns and not bad.reports:
        raise nothing(found)
    return (turns if has_history else with_history(turns, found)), bad.reports


def session_of(turn: Turn) -> str:
    """The conversation of a turn: `metadata` names it, else its id up to `<::>` or the last `_` and a number.

    A turn whose id says nothing is a conversation by itself.
    """
    if isinstance(named := turn.metadata.get(SESSION), str | int) and str(named).strip():
        return str(named)
    if "<::>" in turn.turn_id:
        return turn.turn_id.rpartition("<::>")[0]
    numbered = _NUMBERED.fullmatch(turn.turn_id)
    return numbered[1] if numbered else turn.turn_id


def nothing(path: Path) -> DataError:
    """The error about a file without a turn."""
    return DataError(
        expected=f"turns of conversations in {path}",
        got="an empty file",
        consequence="nothing was used",
        remedy="give the right file",
    )


def write(path: Path, turns: Iterable[Turn]) -> None:
    """Write turns as JSON lines (gzip if the name ends in `.gz`), atomically."""
    write_lines(path, (json.dumps(_to_json(turn), ensure_ascii=False) for turn in turns))


def _to_json(turn: Turn) -> dict[str, Any]:
    return {
        "_id": turn.turn_id,
        "text": turn.utterance,
        "history": [message._asdict() for message in turn.history],
        "rewrites": {kind: list(texts) for kind, texts in turn.rewrites.items()},
        "metadata": dict(turn.metadata),
    } | ({"gold": dict(turn.gold)} if turn.gold else {})


def parse(record: Any) -> Turn:
    """The turn in a JSON object; RowError where it is none."""
    turn_id = identifier(get(record, "_id"))
    utterance = text(record.get("text") or record.get("utterance"), "the utterance")
    history = sequence(record.get("history") or [], "'history'")
    metadata = record.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise RowError(f"'metadata' is {metadata!r:.80}, not an object")
    if "turn" in metadata:
        whole(metadata["turn"], "'turn' of 'metadata'")
    gold = record.get("gold") or {}
    if not isinstance(gold, dict):
        raise RowError(f"'gold' is {gold!r:.80}, not an object")
    labels = {identifier(doc_id, "document id"): max(0, label(one)) for doc_id, one in gold.items()}
    return Turn(turn_id, utterance, tuple(map(_message, history)), dict(_rewrites(record)), metadata, labels)


def _message(value: Any) -> Message:
    role = get(value, "role")
    if role not in ROLES:
        raise RowError(f"the role {role!r} is none of {', '.join(ROLES)}")
    said = get(value, "text")
    return Message(role, text(said, "a message") if said != "" else "")


def _rewrites(record: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(kind, texts) of each field with rewrites; empty ones are left out."""
    for name, value in record.items():
        if isinstance(value, dict) and (name == "rewrites" or name.endswith("_rewrites")):
            for kind, texts in value.items():
                kept = [text(one, f"a rewrite {kind!r}") for one in sequence(texts, repr(kind)) if one != ""]
                if kept:
                    yield kind, tuple(kept)
        elif name.endswith("rewrite") and value:
            yield name, (text(value, repr(name)),)


def with_history(turns: list[Turn], path: Path) -> list[Turn]:
    """The turns with the questions and answers before them in their conversation, by the numbers in `metadata`.

    Raises:
        DataError: a number is missing in a conversation, or there twice: what follows would have another history.
    """
    conversations: dict[str, list[Turn]] = {}
    for turn in turns:
        if "turn" in turn.metadata:
            conversations.setdefault(session_of(turn), []).append(turn)
    history: dict[str, tuple[Message, ...]] = {}
    for name, conversation in conversations.items():
        said: list[Message] = []
        in_order = sorted(conversation, key=lambda one: int(one.metadata["turn"]))
        _require_all(name, [int(turn.metadata["turn"]) for turn in in_order], path)
        for turn in in_order:
            history[turn.turn_id] = tuple(said)
            said.append(Message("user", turn.utterance))
            if answer := turn.metadata.get("answer"):
                said.append(Message("system", str(answer)))
    return [replace(turn, history=history.get(turn.turn_id, turn.history)) for turn in turns]


def _require_all(name: str, numbers: list[int], path: Path) -> None:
    wanted = list(range(min(numbers[0], 1), min(numbers[0], 1) + len(numbers)))
    if numbers != wanted:
        place = next(place for place, number in enumerate(numbers) if number != wanted[place])
        raise DataError(
            expected=f"each turn of a conversation once in {path}, since its history lies in those before it",
            got=f"conversation {name!r}: turn {numbers[place]} where {wanted[place]} should be",
            consequence="nothing was used: turns would be read without a part of their history",
            remedy="give the whole file, or turns that have a `history` of their own",
        )

"""Conversations as their makers publish them: QReCC, CANARD, TopiOCQA, TREC CAsT, TREC iKAT and MTRAG.

Every layout is a function from one entry of the file (a turn or a whole conversation) to turns. Ids of turns are those
of the judgements: the conversation's id, `_`, and the turn's number; in MTRAG the task's id. Rows of the schema of
`rankdistill.formats.conversations` are read under any layout: sets are handed on in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rankdistill.data import json_lines, lines
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.values import whole
from rankdistill.errors import ConfigError, DataError
from rankdistill.formats.conversations import Message, Turn, nothing, parse, with_history
from rankdistill.formats.rows import RowError, get, identifier, sequence, text
from rankdistill.sessions.stored_rewrites import SPEAKER

HUMAN, AUTOMATIC = "rewrite", "auto_rewrite"
"""Kinds of rewrites."""

BEFORE = ("topiocqa", "qrecc")
"""Layouts in which the history of a turn may lie in the turns before it alone."""

Layout = Callable[[Any], Iterator[Turn]]


def read(path: Path, layout: str, mode: Mode = "strict") -> tuple[list[Turn], list[str]]:
    """The turns of a published file in its order, and the reports of the entries left out (none if strict).

    Args:
        path: a JSON array or JSON lines, plain or `.gz`; an element of an array counts as a line in reports.
        layout: a key of `LAYOUTS`.
        mode: `strict` raises if any entry is bad; `lenient` leaves it out.

    Raises:
        ConfigError: no such layout.
        DataError: the file cannot be read, or (strict) has bad entries.
    """
    if layout not in LAYOUTS:
        raise ConfigError(
            expected=f"a layout among {', '.join(LAYOUTS)}",
            got=repr(layout),
            consequence="nothing was read",
            remedy="choose one of them; `rankdistill.formats.conversations` reads this package's own schema",
        )
    bad, turns = BadRows(mode), dict[str, Turn]()
    for number, raw in _entries(path):
        try:
            entry = json_lines.parse(raw) if isinstance(raw, bytes) else raw
            of_ours = isinstance(entry, dict) and "_id" in entry and "history" in entry
            for turn in [parse(entry)] if of_ours else list(LAYOUTS[layout](entry)):  # all of a conversation, or none
                _add(turns, turn)
        except RowError as error:
            bad.add(path, number, str(error))
    bad.finish(f"conversations in the layout {layout} in {path}")
    found = list(turns.values())
    if not found and not bad.reports:
        raise nothing(path)
    alone = [turn for turn in found if "turn" in turn.metadata and not turn.history]
    late = [turn for turn in alone if int(turn.metadata["turn"]) > 1]
    if late and len(alone) < len(found) and layout == "qrecc":
        raise DataError(
            expected=f"a 'Context' in all entries of {path} behind the first turns, or in none, as in SCAI-QReCC's",
            got=f"none in {len(late):,} of {len(found):,}, as of {late[0].turn_id}",
            consequence="nothing was used: these questions would be read without what was said before",
            remedy="give the whole file as it was published",
        )
    return (with_history(found, path) if layout in BEFORE and len(alone) == len(found) else found), bad.reports


def _entries(path: Path) -> Iterator[tuple[int, Any]]:
    """The elements of an array, parsed, or the lines that are not blank, as bytes; both numbered from 1."""
    numbered = list(lines.numbered(path))
    content = b"".join(line for _, line in numbered)
    if not content.lstrip().startswith(b"["):
        yield from ((number, line) for number, line in numbered if line.strip())
        return
    try:
        yield from enumerate(json_lines.parse(content), start=1)
    except RowError as error:
        raise DataError(
            expected=f"a JSON array in {path}",
            got=str(error),
            consequence="nothing was read",
            remedy="fetch the file again",
        ) from error


def _add(turns: dict[str, Turn], turn: Turn) -> None:
    """Files of CAsT 2022 repeat a turn in every path through it; other repetitions are mistakes."""
    known = turns.setdefault(turn.turn_id, turn)
    if (known.utterance, known.history) != (turn.utterance, turn.history):
        raise RowError(f"duplicate id {turn.turn_id!r}, with other words or another history")


def _qrecc(entry: Any) -> Iterator[Turn]:
    """As first published, or as for SCAI-QReCC, where names begin with `Truth_` and passages are named.

    SCAI's test questions have no `Context`: the history lies in the turns before.
    """
    numbers = [identifier(get(entry, name)) for name in ("Conversation_no", "Turn_no")]
    passages = sequence(entry.get("Truth_passages") or [], "'Truth_passages'")
    yield Turn(
        "_".join(numbers),
        text(get(entry, "Question"), "the question"),
        _in_turns(sequence(entry.get("Context") or [], "'Context'")),
        _rewrites({HUMAN: entry.get("Rewrite") or entry.get("Truth_rewrite")}),
        _kept(entry, answer="Truth_answer")
        | _kept(entry, answer="Answer", answer_url="Answer_URL", source="Conversation_source")
        | ({} if "Context" in entry else {"turn": whole(numbers[1], "'Turn_no'")}),
        {identifier(one, "passage"): 1 for one in passages},
    )


def _canard(entry: Any) -> Iterator[Turn]:
    """The history begins with the article's and the section's title."""
    history = sequence(get(entry, "History"), "'History'")
    numbers = [identifier(get(entry, name)) for name in ("QuAC_dialog_id", "Question_no")]
    yield Turn(
        "_".join(numbers),
        text(get(entry, "Question"), "the question"),
        _in_turns(history[2:]),
        _rewrites({HUMAN: entry.get("Rewrite")}),
        dict(zip(("title", "section"), history, strict=False)),
    )


def _topiocqa(entry: Any) -> Iterator[Turn]:
    """Without its history, which lies in the turns before."""
    conversation, number = (identifier(get(entry, name)) for name in ("Conversation_no", "Turn_no"))
    if not number.isdecimal():
        raise RowError(f"'Turn_no' is {number!r}, not a number")
    kept = _kept(entry, answer="Answer", topic="Topic", section="Topic_section") | {"turn": whole(number, "'Turn_no'")}
    question, passage = text(get(entry, "Question"), "the question"), entry.get("Gold_passage")
    gold = {identifier(passage["id"], "passage"): 1} if isinstance(passage, dict) and passage.get("id") else {}
    yield Turn(f"{conversation}_{number}", question, metadata=kept, gold=gold)


def _cast(entry: Any) -> Iterator[Turn]:
    """A topic of any year: turns in a row, or (2022) a tree in which each names its parent and who speaks."""
    topic, before = identifier(get(entry, "number")), None
    said: dict[str | None, tuple[Message, ...]] = {None: ()}
    for raw in sequence(get(entry, "turn"), "'turn'"):
        number = identifier(get(raw, "number"))
        above = raw.get("parent") if "participant" in raw else before
        parent = None if above is None else identifier(above, "parent")
        if parent not in said:
            raise RowError(f"turn {number!r}: the parent {parent!r} is not among the turns before")
        history, answer = said[parent], raw.get("response") or raw.get("passage")
        if raw.get("participant") != "System":
            utterance = text(raw.get("raw_utterance") or raw.get("utterance"), f"the utterance of turn {number!r}")
            rewrites = {
                HUMAN: raw.get("manual_rewritten_utterance"),
                AUTOMATIC: raw.get("automatic_rewritten_utterance"),
            }
            kept = _kept(entry, title="title", description="description")
            yield Turn(f"{topic}_{number}", utterance, history, _rewrites(rewrites), kept)
            history = (*history, Message("user", utterance))
        said[number] = (*history, Message("system", text(answer, "a response"))) if answer else history
        before = number


def _ikat(entry: Any) -> Iterator[Turn]:
    """A topic of a persona: `turns` (2023, 2024) or `responses` (2025)."""
    turns = sequence(get(entry, "turns" if "turns" in _object(entry) else "responses"), "the turns")
    topic = identifier(get(entry, "number" if "number" in entry else "conv_id"))
    history: tuple[Message, ...] = ()
    for raw in turns:
        number = identifier(get(raw, "turn_id"))
        utterance = text(raw.get("utterance") or raw.get("user_utterance"), f"the utterance of turn {number!r}")
        kept = _kept(entry, title="title", ptkb="ptkb") | _kept(raw, ptkb_provenance="ptkb_provenance")
        yield Turn(f"{topic}_{number}", utterance, history, _rewrites({HUMAN: raw.get("resolved_utterance")}), kept)
        answer = raw.get("response")
        history = (
            *history,
            Message("user", utterance),
            Message("system", text(answer, "a response") if answer else ""),
        )


def _mtrag(entry: Any) -> Iterator[Turn]:
    """A task: the conversation up to a question. Or a row of `<d>_questions.jsonl`: the user's side of it."""
    if "task_id" not in _object(entry) and "_id" in entry:
        questions = questions_of(get(entry, "text"))
        history = tuple(Message("user", question) for question in questions[:-1])
        yield Turn(identifier(entry["_id"]), questions[-1], history)
        return
    said = sequence(get(entry, "input"), "'input'")
    messages = [_spoken(message) for message in said]
    if not messages or messages[-1].role != "user":
        raise RowError("the last message is not the user's")
    yield Turn(
        identifier(get(entry, "task_id")),
        messages[-1].text,
        tuple(messages[:-1]),
        metadata=_kept(entry, collection="Collection", answerability="Answerability"),
    )


def questions_of(value: Any) -> list[str]:
    """The questions in a text of MTRAG's retrieval tasks: `|user|: first`, a line end, `|user|: second`, ..."""
    said = text(value, "'text'")
    if not said.startswith(SPEAKER):
        raise RowError(f"'text' is {said!r:.80}, which does not begin with {SPEAKER}")
    return [text(one, "a question") for one in said.removeprefix(SPEAKER).split(f"\n{SPEAKER}")]


def _object(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise RowError(f"a JSON {type(entry).__name__}, not an object")
    return entry


def _spoken(message: Any) -> Message:
    speaker = get(message, "speaker")
    roles = {"user": "user", "agent": "system", "model": "system"}
    if not isinstance(speaker, str) or speaker not in roles:
        raise RowError(f"the speaker {speaker!r} is none of {', '.join(roles)}")
    return Message(roles[speaker], text(get(message, "text"), "a message"))


def _in_turns(messages: list[Any]) -> tuple[Message, ...]:
    """Messages of user and system in turns, the user first; an answer may be empty."""
    roles = ("user", "system")
    return tuple(
        Message(roles[place % 2], "" if said == "" and place % 2 else text(said, "a message of the history"))
        for place, said in enumerate(messages)
    )


def _rewrites(found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {kind: (text(said, f"the {kind}"),) for kind, said in found.items() if said}


def _kept(entry: Any, **fields: str) -> dict[str, Any]:
    """Fields of the entry that are there and not empty, under this package's names."""
    return {name: entry[field] for name, field in fields.items() if entry.get(field)}


LAYOUTS: dict[str, Layout] = {
    "qrecc": _qrecc,
    "canard": _canard,
    "topiocqa": _topiocqa,
    "cast": _cast,
    "ikat": _ikat,
    "mtrag": _mtrag,
}
"""Name -> turns of one entry. A new layout is a function and a line here."""

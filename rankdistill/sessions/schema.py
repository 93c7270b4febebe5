"""What a session is: turns of a user and a system, and what is known of those that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rankdistill.data.values import RowError

USER, SYSTEM = "user", "system"
"""The roles."""

HUMAN, AUTOMATIC = "human", "auto"
"""Names of rewrites: by a person, and by a program of those who published the set."""

TOPIC = "topic"
"""Key of a turn's metadata: what it is about. Where it differs from the question before, the topic has shifted."""


@dataclass(frozen=True)
class Turn:
    """What was said at once.

    Args:
        role: `user` or `system`.
        text: the words.
        turn_id: of a question that counts as a query, its query id; None where a turn is there for the history alone.
        rewrites: name (`human`, ...) -> self-contained versions of the question, the first preferred.
        gold: doc_id -> label of the question's judged documents; above 0 is relevant.
        metadata: any other JSON values, as `topic`.
    """

    role: str
    text: str
    turn_id: str | None = None
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gold: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """A conversation from its first question on. An answer that was not given, or is not known, has no turn.

    Args:
        session_id: of the conversation.
        turns: oldest first.
        split: `train`, `dev`, `test` or another; None: of no split.
        source: where it comes from, as JSON values: `from` (the layout) and `file`.
    """

    session_id: str
    turns: tuple[Turn, ...]
    split: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> list[Asked]:
        """The questions that count as queries, in order."""
        return [Asked(self, place) for place, turn in enumerate(self.turns) if turn.turn_id is not None]


@dataclass(frozen=True)
class Asked:
    """A question in its session.

    Args:
        session: the whole conversation; what comes after the question is not read.
        place: of the question among the turns, from 0.
    """

    session: Session
    place: int

    @property
    def turn(self) -> Turn:
        """The question, with its rewrites and judged documents."""
        return self.session.turns[self.place]

    @property
    def turn_id(self) -> str:
        """Its query id."""
        assert self.turn.turn_id is not None
        return self.turn.turn_id

    @property
    def depth(self) -> int:
        """Its number among the user's turns, from 1."""
        return sum(turn.role == USER for turn in self.session.turns[: self.place + 1])

    @property
    def topic_shift(self) -> bool | None:
        """Whether it is about something else than the user's turn before; None where that is not known, or none is."""
        before = [turn for turn in self.session.turns[: self.place] if turn.role == USER]
        topics = [one.metadata.get(TOPIC) for one in (*before[-1:], self.turn)]
        return topics[0] != topics[1] if len(topics) == 2 and all(topics) else None

    @property
    def said(self) -> list[str]:
        """Question, answer, question, ..., the last to be answered: what formatters and a server's `turns` take.

        An answer that was not given is an empty text.
        """
        found: list[str] = []
        for turn in self.session.turns[: self.place + 1]:
            if (len(found) % 2 == 0) != (turn.role == USER):
                found.append("")
            found.append(turn.text)
        return found


def check(session: Session) -> None:
    """Raise RowError for a session that nothing can be made of, with what is wrong.

    It has turns, among them one that counts as a query; the user begins, no answer follows another; what only a
    question has stands at none else; and no id twice.
    """
    if not session.turns:
        raise RowError(f"session {session.session_id!r} has no turns")
    before = SYSTEM
    for place, turn in enumerate(session.turns):
        where = f"session {session.session_id!r}, turn {place + 1}"
        if turn.role not in (USER, SYSTEM):
            raise RowError(f"{where}: the role {turn.role!r} is none of {USER}, {SYSTEM}")
        if turn.role == SYSTEM and before == SYSTEM:
            raise RowError(
                f"{where}: turns out of order: "
                + ("an answer follows an answer" if place else "it begins with an answer, and a question must")
            )
        if not turn.text.strip():
            raise RowError(f"{where}: no words; leave out an answer that was not given")
        if turn.turn_id is None and (turn.rewrites or turn.gold):
            raise RowError(f"{where}: rewrites or judged documents without a 'turn_id', so of no query")
        if turn.role == SYSTEM and turn.turn_id is not None:
            raise RowError(f"{where}: an answer with a 'turn_id': only questions are queries")
        before = turn.role
    ids = [one.turn_id for one in session.asked]
    if not ids:
        raise RowError(f"session {session.session_id!r} has no turn with a 'turn_id', so no query")
    if twice := [one for one in ids if ids.count(one) > 1]:
        raise RowError(f"session {session.session_id!r}: two turns with the id {twice[0]!r}")

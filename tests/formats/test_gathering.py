"""Turns with histories, put together to the sessions that they were taken from."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from rankdistill.data.bad_rows import BadRows
from rankdistill.formats.conversations import Message, Turn
from rankdistill.formats.gathering import gather, session_of
from rankdistill.sessions import Session


def gathered(turns: Sequence[Turn], **gold: dict[str, int]) -> list[Session]:
    bad = BadRows()
    found = gather(turns, gold, lambda session: "train", lambda turn: {"from": "x"}, bad)
    bad.finish("good turns")
    return found


def told(*messages: str) -> tuple[Message, ...]:
    """Question, answer, question, ...; an empty answer was not given."""
    return tuple(Message(("user", "system")[place % 2], said) for place, said in enumerate(messages))


@pytest.mark.parametrize(
    ("turn", "session"),
    [
        (Turn("9467_1", "a"), "9467"),
        (Turn("C_2d2118_0_11", "a"), "C_2d2118_0"),
        (Turn("132_1-3", "a"), "132"),
        (Turn("9-1_2", "a"), "9-1"),
        (Turn("c0ffee<::>2", "a"), "c0ffee"),
        (Turn("plain", "a"), "plain"),
        (Turn("user_name", "a"), "user_name"),
        (Turn("q7", "a", metadata={"session": "s1"}), "s1"),
        (Turn("q7", "a", metadata={"session": 4}), "4"),
    ],
)
def test_the_conversation_of_a_turn(turn: Turn, session: str) -> None:
    assert session_of(turn) == session


def test_turns_become_one_session_whatever_their_order() -> None:
    turns = [
        Turn("c_1", "first", (), {"rewrite": ("first",)}),
        Turn("c_2", "second", told("first", "one"), {"auto_rewrite": ("2nd",), "llm_rewrite": ("two",), "REW": ("x",)}),
        Turn("c_3", "third", told("first", "one", "second", "")),
    ]
    for seed in range(6):
        shuffled = random.Random(seed).sample(turns, len(turns))
        (session,) = gathered(shuffled, c_2={"d1": 1})
        assert [(turn.role, turn.text, turn.turn_id) for turn in session.turns] == [
            ("user", "first", "c_1"),
            ("system", "one", None),
            ("user", "second", "c_2"),
            ("user", "third", "c_3"),
        ]
        assert session.turns[0].rewrites == {"human": ("first",)}
        assert session.turns[2].rewrites == {"auto": ("2nd",), "llm": ("two",), "REW": ("x",)}
        assert session.turns[2].gold == {"d1": 1}
        assert (session.session_id, session.split, session.source) == ("c", "train", {"from": "x"})


def test_each_turn_has_the_history_that_it_had() -> None:
    """On trees of turns made at random: a path through one is a session, and no turn counts twice."""
    generator = random.Random(5)
    for _ in range(30):
        turns = [Turn("t_1", "q1")]
        for number in range(2, 9):
            above = generator.choice(turns)
            answer = generator.choice(["", f"a{number}"])
            history = (*above.history, Message("user", above.utterance), Message("system", answer))
            turns.append(Turn(f"t_{number}", f"q{number}", history))
        kept = generator.sample(turns, generator.randint(1, len(turns)))
        sessions = gathered(kept)
        asked = {one.turn_id: one for session in sessions for one in session.asked}
        assert sum(len(session.asked) for session in sessions) == len(kept)
        for turn in kept:
            before = [message.text for message in turn.history]
            assert asked[turn.turn_id].said == [*before, turn.utterance]
        assert len({session.session_id for session in sessions}) == len(sessions)


def test_turns_that_are_not_queries_are_there_for_the_history() -> None:
    (session,) = gathered([Turn("c_3", "third", told("first", "one", "second", "two"))])
    assert [turn.turn_id for turn in session.turns] == [None, None, None, None, "c_3"]
    assert session.asked[0].depth == 3


def test_a_history_that_begins_with_an_answer_is_bad() -> None:
    bad = BadRows("lenient")
    turn = Turn("c_1", "a", (Message("system", "hello"),))
    assert gather([turn], {}, lambda session: None, lambda turn: {}, bad) == []
    assert "turns out of order" in bad.reports[0]


def test_numbered_rows_that_share_nothing_are_conversations_of_their_own() -> None:
    """`q_1`, `q_2`, ... may count the rows of a file; what turns of one conversation say is said in others too."""
    rows = [Turn(f"q_{n}", f"why {n}?", told(f"what is {n}?", "a number")) for n in range(4)]
    rows += [Turn("q_7", "and then?", told("what is 1?", "a number", "why 1?", ""))]
    assert [one.session_id for one in gathered(rows)] == ["q", "q#2", "q#3", "q#4"]
    bad = BadRows()
    found = gather(rows, {}, lambda several: several[0].session_id, lambda turn: {}, bad, apart=True)
    assert [(one.session_id, [turn.turn_id for turn in one.asked]) for one in found] == [
        ("q_0", ["q_0"]),
        ("q_1", ["q_1", "q_7"]),
        ("q_2", ["q_2"]),
        ("q_3", ["q_3"]),
    ]
    assert [one.split for one in found] == ["q_0", "q_1", "q_2", "q_3"]


def test_conversations_with_windows_of_their_history_stay_whole() -> None:
    """Turns of one conversation may share no words; words before the number that differ name conversations."""
    turns = [Turn(f"{c}_{n}", f"{c}{n}?", told(f"{c}{n - 1}?", "a")) for c in "AB" for n in (2, 5, 8)]
    found = gather(turns, {}, lambda several: several[0].session_id[0], lambda turn: {}, BadRows(), apart=True)
    assert [one.session_id for one in found] == ["A", "A#2", "A#3", "B", "B#2", "B#3"]
    assert [one.split for one in found] == ["A"] * 3 + ["B"] * 3


@pytest.mark.parametrize("metadata", [{"session": "s"}, {}])
def test_turns_of_one_conversation_stay_one(metadata: dict[str, str]) -> None:
    windows = [Turn(f"c_{n}", f"{n}?", told(f"{n - 1}?", "yes") if n else (), metadata=metadata) for n in range(3)]
    without = [Turn(f"c_{n}", f"{n}?", metadata=metadata) for n in range(3)]
    for turns in (windows, without):
        found = gather(turns, {}, lambda several: "train", lambda turn: {}, BadRows(), apart=True)
        assert {one.session_id.partition("#")[0] for one in found} == {metadata.get("session", "c")}

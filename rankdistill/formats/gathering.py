"""Sessions of turns that each bring their own history: the conversations that these were taken from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rankdistill.data.bad_rows import BadRows
from rankdistill.data.values import RowError
from rankdistill.formats.conversations import SESSION, session_of
from rankdistill.formats.conversations import Turn as Flat
from rankdistill.sessions.schema import AUTOMATIC, HUMAN, SYSTEM, USER, Session, Turn, check

_NAMES = {"rewrite": HUMAN, "auto_rewrite": AUTOMATIC}
_SUFFIX = "_rewrite"


@dataclass
class _Said:
    """A turn of a session that is being put together; `flat` where it is a question that counts as a query."""

    role: str
    text: str
    flat: Flat | None = None


def gather(
    turns: Iterable[Flat],
    gold: Mapping[str, Mapping[str, int]],
    split_of: Callable[[Sequence[Session]], str | None],
    source_of: Callable[[Flat], Mapping[str, Any]],
    bad: BadRows,
    apart: bool = False,
) -> list[Session]:
    """The sessions that hold every turn, each with the history that it had; in the order of their first turns.

    A conversation whose turns have histories that do not go on from one another, as paths through a tree, becomes
    several sessions: `31`, `31#2`, ... A question that stands in several counts as a query in the first. As they share
    turns they are in one split.

    Args:
        turns: each with its history.
        gold: turn_id -> doc_id -> label, over what the turns know themselves.
        split_of: the split of all sessions of a conversation; may raise RowError.
        source_of: where a turn comes from.
        bad: takes the sessions that nothing can be made of.
        apart: whether numbers in ids may count a file's rows, as where all have one word before their number: turns
            with histories that share nothing that users say are then conversations of their own.
    """
    conversations: dict[str, list[Flat]] = {}
    for turn in turns:
        conversations.setdefault(session_of(turn), []).append(turn)
    if apart and len(conversations) == 1:
        conversations = dict(_apart(conversations))
    found = []
    for name, members in conversations.items():
        own = list(_sessions(name, members, gold, source_of))
        try:
            split = split_of(own)
        except RowError as error:
            bad.take(str(error))
            continue
        for session in own:
            try:
                check(session)
            except RowError as error:
                bad.take(str(error))
            else:
                found.append(replace(session, split=split))
    return found


def _apart(conversations: Mapping[str, Sequence[Flat]]) -> Iterator[tuple[str, list[Flat]]]:
    """The conversations, those of numbered ids by what their turns share of what users say."""
    for name, members in conversations.items():
        if len(members) == 1 or SESSION in members[0].metadata or not any(one.history for one in members):
            yield name, list(members)
            continue
        same: dict[str, str] = {}

        def root(text: str, same: dict[str, str] = same) -> str:
            while same[text] != text:
                same[text] = text = same[same[text]]
            return text

        for turn in members:
            for text in (turn.utterance, *(one.text for one in turn.history if one.role == USER)):
                same.setdefault(text, text)
                same[root(text)] = root(turn.utterance)
        groups: dict[str, list[Flat]] = {}
        for turn in members:
            groups.setdefault(root(turn.utterance), []).append(turn)
        for group in groups.values():
            own = group[0].turn_id
            yield name if len(groups) == 1 else own if own not in conversations else f"{own}#own", group


def _sessions(
    name: str,
    members: Sequence[Flat],
    gold: Mapping[str, Mapping[str, int]],
    source_of: Callable[[Flat], Mapping[str, Any]],
) -> Iterator[Session]:
    """The sessions of a conversation, whatever they are worth; of no split yet."""
    for number, path in enumerate(_paths(members), start=1):
        asked = [one.flat for one in path if one.flat is not None]
        yield Session(
            name if number == 1 else f"{name}#{number}",
            tuple(_turn(one, gold) for one in path),
            source=dict(source_of(asked[0])),
        )


def _paths(members: Sequence[Flat]) -> Iterator[list[_Said]]:
    """Runs of turns in which each member's history and words stand at the beginning of one."""
    begun: dict[tuple[str, str], list[list[_Said]]] = {}
    for turn in sorted(members, key=lambda one: len(one.history)):
        said = [_Said(one.role, one.text) for one in turn.history if one.text.strip()]
        said.append(_Said(USER, turn.utterance, turn))
        same_start = begun.setdefault((said[0].role, said[0].text), [])
        for path in same_start:
            shared = min(len(path), len(said))
            if any(
                (path[place].role, path[place].text) != (said[place].role, said[place].text) for place in range(shared)
            ):
                continue
            if len(said) > len(path):
                path += said[len(path) :]
                break
            if path[len(said) - 1].flat is None:
                path[len(said) - 1].flat = turn
                break
        else:
            same_start.append(said)
    order = {turn.turn_id: place for place, turn in enumerate(members)}
    paths = [path for several in begun.values() for path in several]
    yield from sorted(paths, key=lambda path: min(order[one.flat.turn_id] for one in path if one.flat is not None))


def _turn(said: _Said, gold: Mapping[str, Mapping[str, int]]) -> Turn:
    flat = said.flat
    if flat is None:
        return Turn(SYSTEM if said.role == SYSTEM else USER, said.text)
    rewrites: dict[str, tuple[str, ...]] = {}
    for name, texts in flat.rewrites.items():
        rewrites.setdefault(_NAMES.get(name, name.removesuffix(_SUFFIX)), texts)
    labels = {**flat.gold, **gold.get(flat.turn_id, {})}
    return Turn(USER, said.text, flat.turn_id, rewrites, labels, dict(flat.metadata))

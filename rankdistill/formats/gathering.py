"""Sessions of turns that each bring their own history: the conversations that these were taken from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rankdistill.data.bad_rows import BadRows
from rankdistill.data.values import RowError
from rankdistill.formats.conversations import Turn as Flat
from rankdistill.sessions.schema import AUTOMATIC, HUMAN, SYSTEM, USER, Session, Turn, check

SESSION = "session"
"""Key of a turn's metadata that names its conversation, where its id does not."""

_NUMBERED = re.compile(r"(.+)_[0-9]+(?:-[0-9]+)?", re.DOTALL)
_NAMES = {"rewrite": HUMAN, "auto_rewrite": AUTOMATIC}
_SUFFIX = "_rewrite"


@dataclass
class _Said:
    """A turn of a session that is being put together; `flat` where it is a question that counts as a query."""

    role: str
    text: str
    flat: Flat | None = None


def session_of(turn: Flat) -> str:
    """The conversation of a turn: `metadata` names it, else its id up to `<::>` or the last `_` and a number.

    A turn whose id says nothing is a conversation by itself.
    """
    if isinstance(named := turn.metadata.get(SESSION), str | int) and str(named).strip():
        return str(named)
    if "<::>" in turn.turn_id:
        return turn.turn_id.rpartition("<::>")[0]
    numbered = _NUMBERED.fullmatch(turn.turn_id)
    return numbered[1] if numbered else turn.turn_id


def gather(
    turns: Iterable[Flat],
    gold: Mapping[str, Mapping[str, int]],
    split_of: Callable[[Sequence[Session]], str | None],
    source_of: Callable[[Flat], Mapping[str, Any]],
    bad: BadRows,
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
    """
    conversations: dict[str, list[Flat]] = {}
    for turn in turns:
        conversations.setdefault(session_of(turn), []).append(turn)
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
    paths: list[list[_Said]] = []
    for turn in sorted(members, key=lambda one: len(one.history)):
        said = [_Said(one.role, one.text) for one in turn.history if one.text.strip()]
        said.append(_Said(USER, turn.utterance, turn))
        for path in paths:
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
            paths.append(said)
    order = {turn.turn_id: place for place, turn in enumerate(members)}
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

"""Sessions as JSON lines: `{session_id, split, source, turns: [{role, text, turn_id, rewrites, gold, metadata}]}`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rankdistill.data.writer import SESSIONS as FILE_NAME
from rankdistill.data.writer import write_lines
from rankdistill.sessions.schema import Session, Turn

__all__ = ["FILE_NAME", "line", "write"]


def line(session: Session) -> str:
    """One session; what it has none of is left out."""
    found: dict[str, Any] = {"session_id": session.session_id}
    if session.split is not None:
        found["split"] = session.split
    if session.source:
        found["source"] = dict(session.source)
    return json.dumps(found | {"turns": list(map(_turn, session.turns))}, ensure_ascii=False)


def write(path: Path, sessions: Iterable[Session]) -> None:
    """Write sessions as JSON lines (gzip if the name ends in `.gz`), atomically."""
    write_lines(path, map(line, sessions))


def _turn(turn: Turn) -> dict[str, Any]:
    found: dict[str, Any] = {"role": turn.role, "text": turn.text}
    if turn.turn_id is not None:
        found["turn_id"] = turn.turn_id
    more = {
        "rewrites": {name: list(texts) for name, texts in turn.rewrites.items()},
        "gold": dict(turn.gold),
        "metadata": dict(turn.metadata),
    }
    return found | {name: value for name, value in more.items() if value}

"""Conversations among what `convert` takes: which files hold some, and what is made of them."""

from __future__ import annotations

from pathlib import Path

from rankdistill.data import converting
from rankdistill.data.beir import CORPUS
from rankdistill.data.converting import kinds
from rankdistill.data.converting.request import Request
from rankdistill.errors import ConfigError
from rankdistill.formats import converting_sessions
from rankdistill.formats.published_conversations import LAYOUTS
from rankdistill.progress import Reporter
from rankdistill.sessions import Sessions
from rankdistill.verbs.arguments import sessions_of


def layout_of(place: Path, from_: str | None) -> str | None:
    """The layout of conversations at `place`; None where what lies there are documents.

    A BEIR folder holds some where its queries have a history, whatever it is said to come from.

    Raises:
        ConfigError: `from_` is neither a kind of documents nor a layout.
        DataError: the queries of a BEIR folder cannot be read.
    """
    if from_ in LAYOUTS:
        if _is_collection(place) and not converting_sessions.holds_turns(place):
            raise ConfigError(
                expected=f"conversations ({from_}) in {place}",
                got="a collection whose queries have no history",
                consequence="nothing was written",
                remedy="leave --from out, or give the folder with the conversations",
            )
        return from_
    if from_ is not None and from_ not in kinds.KINDS:
        raise ConfigError(
            expected=f"one of {', '.join(kinds.KINDS)}; or of conversations {', '.join(LAYOUTS)}",
            got=repr(from_),
            consequence="nothing was read",
            remedy="leave it out to have it found",
        )
    if from_ in (None, kinds.BEIR) and _is_collection(place) and converting_sessions.holds_turns(place):
        return kinds.BEIR
    return kinds.BEIR if from_ == kinds.BEIR and not _is_collection(place) and place.exists() else None


def convert(out: Path, layout: str, request: Request, compress: bool, reporter: Reporter, command: str) -> None:
    """Make sessions of what `request` names; see the verb `convert` for what it raises."""
    request.check()
    if _is_collection(request.place):
        rows = converting_sessions.of_collection(
            request.place, layout, request.dev, request.test, "lenient" if request.lenient else "strict"
        )
        converting.convert(out, request, compress, reporter, command, rows, {"sessions": layout})
        return
    allowed = {"qrels_columns", "dev", "test", "lenient"}
    columns = [name for name, given in request.columns.items() if given is not None]
    files = [name for name in ("queries", "clicks") if getattr(request, name) is not None]
    if others := [*columns, *files, *sorted(request.decisive().keys() - allowed)]:
        raise ConfigError(
            expected="published conversations alone: they come without documents, and with their own questions",
            got=f"settings of documents and of other queries: {', '.join(others)}",
            consequence="nothing was written",
            remedy=f"leave them out; documents are a collection of their own (data convert without --from {layout})",
        )
    wanted = converting_sessions.Request(
        request.place, layout, request.qrels, request.qrels_columns, request.dev, request.test, request.lenient
    )
    converting_sessions.convert(out, wanted, compress, reporter, command)


def opened(out: Path) -> Sessions:
    """The sessions of a finished conversion."""
    return sessions_of(out, lenient=True)


def _is_collection(place: Path) -> bool:
    return any((place / name).is_file() for name in (CORPUS, f"{CORPUS}.gz"))

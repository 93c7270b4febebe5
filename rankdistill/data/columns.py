"""The columns of a line of text, between tabs or white space."""

from __future__ import annotations

from rankdistill.data.lines import MARK
from rankdistill.data.values import RowError


def split(line: bytes, separator: str | None = None, quotes: bool = False) -> list[str]:
    """The columns of a line; none for a blank one.

    Args:
        line: as `lines.numbered` gives it.
        separator: between columns; None: spaces and tabs, as many as there are. White space of other alphabets (a
            no-break space, U+2028) separates nothing, as in trec_eval.
        quotes: a column may stand in quotes; the caller knows whether they are part of an id.

    Raises:
        RowError: broken UTF-8, or a column in quotes, which are no part of such files.
    """
    line = line.removeprefix(MARK)  # files that begin with one may have been joined
    if not line.strip():
        return []
    try:
        if separator is None:
            columns = [part.decode() for part in line.split()]
        else:
            columns = line.decode().rstrip("\r\n").split(separator)
    except UnicodeDecodeError as error:
        raise RowError(f"broken UTF-8: {error.reason}") from error
    for column in () if quotes else columns:
        refuse_quotes(column)
    return columns


def refuse_quotes(column: str) -> None:
    """RowError if the column stands in quotes: these files have none, so they would become part of an id."""
    if column[:1] == column[-1:] == '"' and len(column) > 1:
        raise RowError(f"the column {column:.80} stands in quotes, which would become part of it")

"""`--parameter` of verbs: of building an index; of searching the only one, or addressed to one of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def parameters_of(given: Sequence[str], indexes: Sequence[Path]) -> list[dict[str, float]]:
    """The search parameters of each index, as typed: `NAME=VALUE` where there is one, else `INDEX:NAME=VALUE`.

    Raises:
        ConfigError: another shape, or one whose index cannot be told.
    """
    from rankdistill.errors import ConfigError
    from rankdistill.indexing.faiss import parse_search_parameters

    of_index: list[dict[str, float]] = [{} for _ in indexes]
    for text in given:
        index, colon, setting = text.rpartition(":")
        parsed = parse_search_parameters([setting])
        meant = [place for place, one in enumerate(indexes) if one == Path(index) or not colon]
        if not meant or (len(indexes) > 1 and not colon):
            raise ConfigError(
                expected="a search parameter of one --index: NAME=VALUE, or INDEX:NAME=VALUE where there are several",
                got=f"{text!r} with the indexes {', '.join(map(str, indexes)) or '(none)'}",
                consequence="nothing was searched: it is not clear whose parameter it is",
                remedy=f"write {indexes[0]}:{setting}" if indexes else "add --index INDEX, or leave it out",
            )
        for place in meant:
            of_index[place] |= parsed
    return of_index


def parse_build_parameters(given: Sequence[str]) -> dict[str, float | str]:
    """`NAME=VALUE` settings as typed; a value that is no number is a name, as `tokenizer=cjk`.

    Raises:
        ConfigError: one is not of that form.
    """
    from rankdistill.indexing.faiss import parse_search_parameters

    found: dict[str, float | str] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if name == "" or equals == "" or not value.isidentifier() or value.lower() in ("nan", "inf", "infinity"):
            found |= parse_search_parameters([setting])
        else:
            found[name] = value
    return found

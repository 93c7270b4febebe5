"""Parameters of indexes by name: of building one; of searching the only one, or addressed to one of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path

from rankdistill.errors import ConfigError
from rankdistill.indexing.faiss import parse_search_parameters
from rankdistill.verbs.arguments import listed

SearchParameters = Mapping[str, float] | str | Sequence[str]
"""Name -> number, or `NAME=VALUE` as typed; of one of several indexes `INDEX:NAME`."""

BuildParameters = Mapping[str, float | int | str] | str | Sequence[str]
"""Name -> number or name, or `NAME=VALUE` as typed."""


def search_parameters_of(given: SearchParameters | None) -> dict[str, float]:
    """Of an index that is to be built: name -> number; raises ConfigError if one is not of that form."""
    if isinstance(given, Mapping):
        return dict(given)
    return parse_search_parameters(listed(given))


def build_parameters_of(given: BuildParameters | None) -> dict[str, float | str]:
    """Name -> number, or name as in `tokenizer=cjk`.

    Raises:
        ConfigError: one is not of that form.
    """
    if isinstance(given, Mapping):
        return dict(given)
    found: dict[str, float | str] = {}
    for setting in listed(given):
        name, equals, value = setting.partition("=")
        if name == "" or equals == "" or not value.isidentifier() or value.lower() in ("nan", "inf", "infinity"):
            found |= parse_search_parameters([setting])
        else:
            found[name] = value
    return found


def parameters_of(given: SearchParameters | None, indexes: Sequence[str | PathLike[str]]) -> list[dict[str, float]]:
    """The search parameters of each index: `NAME` where there is one, else `INDEX:NAME`.

    Raises:
        ConfigError: another shape, or one whose index cannot be told.
    """
    of_index: list[dict[str, float]] = [{} for _ in indexes]
    folders = [fspath(one) for one in indexes]
    for text, index, parsed in _addressed(given):
        meant = [place for place, one in enumerate(folders) if index is None or Path(one) == Path(index)]
        if not meant or (len(indexes) > 1 and index is None):
            setting = text if index is None else text[len(index) + 1 :]
            raise ConfigError(
                expected="a search parameter of one --index: NAME=VALUE, or INDEX:NAME=VALUE where there are several",
                got=f"{text!r} with the indexes {', '.join(folders) or '(none)'}",
                consequence="nothing was searched: it is not clear whose parameter it is",
                remedy=f"write {folders[0]}:{setting}" if indexes else "add --index INDEX, or leave it out",
            )
        for place in meant:
            of_index[place] |= parsed
    return of_index


def _addressed(given: SearchParameters | None) -> Iterator[tuple[str, str | None, dict[str, float]]]:
    """Each as it was given, the index that it names, and name -> number."""
    if isinstance(given, Mapping):
        for named, value in given.items():
            index, colon, name = named.rpartition(":")
            yield f"{named}={value:g}", index if colon else None, {name: value}
        return
    for text in listed(given):
        index, colon, setting = text.rpartition(":")
        yield text, index if colon else None, parse_search_parameters([setting])

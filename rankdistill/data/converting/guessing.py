"""Which column is what, by its name: only where one alone fits. What cannot be said so has to be named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rankdistill.data.converting.table import Column, listed
from rankdistill.errors import ConfigError


@dataclass(frozen=True)
class Part:
    """What a column may be.

    Args:
        flag: that names the column.
        what: it is, for messages.
        names: what such columns are called, a group that goes before the next ones at a time; in lower case, words
            joined by `_`.
        ending: what further names end in.
        texts: whether it must hold texts.
        needed: whether it must be there.
        alone: whether a column that is left alone is it.
        instead: what can be done without one, for the remedy.
    """

    flag: str
    what: str
    names: Sequence[frozenset[str]]
    ending: str = ""
    texts: bool = False
    needed: bool = True
    alone: bool = False
    instead: str = ""


@dataclass(frozen=True)
class Chosen:
    """Which column is which.

    Args:
        columns: name of the part -> column; None for one that is not there.
        guessed: those that were not named.
    """

    columns: Mapping[str, str | None]
    guessed: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, part: str) -> str | None:
        return self.columns[part]

    def needed(self, part: str) -> str:
        """The column of a part that must be there."""
        found = self.columns[part]
        assert found is not None, part
        return found

    def note(self, place: str) -> str | None:
        """What was guessed, for the user; None where nothing was."""
        if not self.guessed:
            return None
        return f"{place}: taken by name: " + ", ".join(f"{part} = {name!r}" for part, name in self.guessed.items())


def choose(place: str, columns: Sequence[Column], parts: Mapping[str, Part], given: Mapping[str, str | None]) -> Chosen:
    """The column of each part, as given or else guessed.

    Args:
        place: the file, for messages.
        columns: those there are.
        parts: name -> what is looked for, in the order in which columns are taken.
        given: name -> the column that was named; None for one to be guessed.

    Raises:
        ConfigError: a column that was named is not there, comes twice or holds no texts; or none or several fit a part
            that must be there. The message lists the columns.
    """
    found: dict[str, str | None] = {}
    for name, part in parts.items():
        if (column := given.get(name)) is not None:
            _require(place, columns, part, column)
            found[name] = column
    taken, guessed = {one for one in found.values() if one is not None}, {}
    for name, part in parts.items():
        if name in found:
            continue
        free = [one for one in columns if one.name not in taken]
        fitting = _fitting(part, [one for one in free if one.texts or not part.texts])
        if len(fitting) == 1:
            found[name] = guessed[name] = fitting[0]
            taken.add(fitting[0])
        elif part.needed:
            raise _undecided(place, columns, part, fitting)
        else:
            found[name] = None
    return Chosen(found, guessed)


def plain(name: str) -> str:
    """The name of a column in lower case, its words joined by `_`."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _fitting(part: Part, columns: Sequence[Column]) -> list[str]:
    named = [(one.name, plain(one.name)) for one in columns]
    for group in part.names:
        if found := [name for name, words in named if words in group]:
            return found
    if part.ending and (found := [name for name, words in named if words.endswith(part.ending)]):
        return found
    return [name for name, _ in named] if part.alone and len(named) == 1 else []


def _require(place: str, columns: Sequence[Column], part: Part, name: str) -> None:
    same = [one for one in columns if one.name == name]
    if len(same) != 1:
        raise ConfigError(
            expected=f"a column {name!r} in {place} ({part.flag})",
            got=f"{'several' if same else 'none'}; the columns are {listed(columns)}",
            consequence="nothing was written",
            remedy="name one of them" if not same else "give the columns different names",
        )
    if part.texts and not same[0].texts:
        raise _no_texts(place, part, listed(same), columns)


def _undecided(place: str, columns: Sequence[Column], part: Part, fitting: Sequence[str]) -> ConfigError:
    if part.texts and not any(one.texts for one in columns):
        return _no_texts(place, part, "none", columns)
    got = f"{', '.join(map(repr, fitting))} would all do" if fitting else "none that is known by its name"
    return ConfigError(
        expected=f"one column of {place} that is {part.what}",
        got=f"{got}; the columns are {listed(columns)}",
        consequence="nothing was written: a wrong column would go unseen",
        remedy=f"name it: {part.flag} COLUMN{part.instead}; where a table's first line is no header, put one there: it "
        "would be lost",
    )


def _no_texts(place: str, part: Part, got: str, columns: Sequence[Column]) -> ConfigError:
    return ConfigError(
        expected=f"a column of texts in {place} that is {part.what} ({part.flag})",
        got=f"{got}; the columns are {listed(columns)}",
        consequence="nothing was written",
        remedy="name a column of texts, or make one of the others",
    )

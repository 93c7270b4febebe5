"""Options whose value may be left out: `--json` beside `--json FILE`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

STANDARD_OUTPUT = "-"
"""What such an option means without a value."""


def filled_in(words: Sequence[str], flags: Collection[str]) -> list[str]:
    """The words of a command line with `-` behind each of `flags` that has no value.

    It has none at the end, before another flag, and before a folder or a URL, which is no file to write: that is the
    next argument.
    """
    return list(_filled_in(words, flags))


def _filled_in(words: Sequence[str], flags: Collection[str]) -> Iterator[str]:
    for place, word in enumerate(words):
        if word == "--":
            yield from words[place:]
            return
        yield word
        if word in flags and not any(map(_is_file, words[place + 1 : place + 2])):
            yield STANDARD_OUTPUT


def _is_file(word: str) -> bool:
    is_flag = word.startswith("-") and word != STANDARD_OUTPUT
    return not is_flag and "://" not in word and not Path(word).is_dir()

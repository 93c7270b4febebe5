"""A file of words, one a line: what a static student shall know though no text of its teacher's has it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rankdistill.data import lines
from rankdistill.errors import DataError


def read(path: Path) -> list[str]:
    """The words in their order, stripped; empty lines are none.

    Raises:
        DataError: the file is absent or damaged, or a line holds more than one word.
    """
    return _read(path)[0]


def identity(path: Path) -> str:
    """Content hash (hex) of the words and their order.

    Raises:
        DataError: as `read` does.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[list[str], str]:
    digest, words = hashlib.sha256(), []
    for number, line in lines.numbered(path, digest):
        try:
            word = line.decode().strip()
        except UnicodeDecodeError as error:
            raise _bad(path, number, str(error)) from error
        if len(word.split()) > 1:
            raise _bad(path, number, repr(word[:80]))
        if word:
            words.append(word)
    return words, digest.hexdigest()


def _bad(path: Path, number: int, got: str) -> DataError:
    return DataError(
        expected="a word list: one word a line, in UTF-8",
        got=f"{path}:{number}: {got}",
        consequence="no student was made: a phrase would never be met as one token",
        remedy="correct that line, or leave `word_list` out",
    )

"""What the verbs share: the two consoles, how results and notes are shown, and the command line as it was given."""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
import threading
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from rankdistill.addresses import without_secrets
from rankdistill.notes import LOGGER

if TYPE_CHECKING:
    from rankdistill.display import Shown

out = Console(emoji=False)
"""Results go to standard output."""

err = Console(stderr=True, emoji=False)
"""Progress, notes and errors go to standard error."""


_IN_ADDRESS = re.compile(r"(\w://)[^/?#\s]*@")
"""The border of an address' scheme, and who asks: `user:password@`."""


def command(leave_out: tuple[str, ...] = ()) -> str:
    """The command line as typed, for manifests; the value of `--out` reads `.`, the folder that the manifest is in.

    So the same work written to two places, or shown in two forms (`--json`), leaves the same bytes. A user's name and
    password in an address are left out: manifests are published, and errors reported.

    Args:
        leave_out: flags with a value that say who works, not what is made.
    """
    words: list[str] = []
    for word in (Path(sys.argv[0]).name, *sys.argv[1:]):
        if words and words[-1] in leave_out:
            words.pop()
        elif word != "--json" and (word.partition("=")[0] not in leave_out or "=" not in word):
            words.append(word)
    for place, word in enumerate(words):
        if word == "--out" and place + 1 < len(words):
            words[place + 1] = "."
        elif word.startswith("--out="):
            words[place] = "--out=."
    return shlex.join(without_secrets(_IN_ADDRESS.sub(r"\1", word)) for word in words)


def write_any_character() -> None:
    r"""Let what the terminal's encoding lacks be written as `\u2192`, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def in_unicode() -> bool:
    """Whether standard output can hold any character."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


def show(result: Shown, as_json: bool = False) -> None:
    """Print what a verb gave: its tables and lines, or with `--json` one JSON object."""
    if as_json:
        import json

        print(json.dumps(result.to_json(), indent=1, ensure_ascii=not in_unicode(), allow_nan=False))
        return
    for table in result.tables():
        # A terminal folds what is wider; elsewhere nothing is cut.
        if out.is_terminal:
            out.print(table.rich())
        else:
            print(table.text(in_unicode()))
    for line in result.lines():
        out.print(line, highlight=False, soft_wrap=True, markup=False)


def leave_at_once(thread: str) -> None:
    """End the process with 0 where a thread of that name still runs: native code in it must not meet a dying Python."""
    if any(one.name == thread for one in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


class NoteHandler(logging.Handler):
    """Shows what the library logs on standard error: notes with `note:` before them, the rest as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        line, is_note = record.getMessage(), record.levelno >= logging.WARNING
        err.print(
            f"note: {line}" if is_note else line,
            style="yellow" if is_note else None,
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def show_log() -> None:
    """Let what the library logs reach standard error; asked twice, it is shown once."""
    logger = logging.getLogger(LOGGER)
    if not any(isinstance(one, NoteHandler) for one in logger.handlers):
        logger.addHandler(NoteHandler())
    logger.setLevel(logging.INFO)

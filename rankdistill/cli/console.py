"""What the verbs share: the two consoles, progress bars, and the command line as it was given."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as ProgressTask
from rich.text import Text

from rankdistill.notes import LOGGER

if TYPE_CHECKING:
    from rankdistill.display import Shown
    from rankdistill.recipe.steps import Step

out = Console()
"""Results go to standard output."""

err = Console(stderr=True)
"""Progress, notes and errors go to standard error."""

OFTEN = 0.5
"""A share of clipped steps above which a note says so."""


class RateColumn(ProgressColumn):
    """Units a second, as in `412 pairs/s`; a task's field `unit` wins over the column's."""

    def __init__(self, unit: str = "") -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: ProgressTask) -> Text:
        """The speed so far, or nothing before the first step."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {task.fields.get('unit', self.unit)}/s" if speed else "")


def progress(unit: str) -> Progress:
    """A progress bar on standard error with count, rate in `unit` a second, and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(unit),
        TimeRemainingColumn(),
        console=err,
    )


def command(leave_out: tuple[str, ...] = ()) -> str:
    """The command line as typed, for manifests; the value of `--out` reads `.`, the folder that the manifest is in.

    So the same work written to two places leaves the same bytes.

    Args:
        leave_out: flags with a value that say who works, not what is made.
    """
    words: list[str] = []
    for word in (Path(sys.argv[0]).name, *sys.argv[1:]):
        if words and words[-1] in leave_out:
            words.pop()
        elif word.partition("=")[0] not in leave_out or "=" not in word:
            words.append(word)
    for place, word in enumerate(words):
        if word == "--out" and place + 1 < len(words):
            words[place + 1] = "."
        elif word.startswith("--out="):
            words[place] = "--out=."
    return shlex.join(words)


def note(text: str | None) -> None:
    """Something to know on standard error; None: there is nothing."""
    if text is not None:
        err.print(f"note: {text}", highlight=False, soft_wrap=True, markup=False)


def show_reports(reports: list[str], most: int = 10) -> None:
    """Print the rows that lenient reading left out, the first `most` of them, on standard error."""
    if reports:
        err.print(f"left out {len(reports):,} bad rows:", style="yellow", highlight=False)
        for report in reports[:most]:
            err.print(f"  {report}", markup=False, highlight=False, soft_wrap=True)
        if len(reports) > most:
            err.print(f"  and {len(reports) - most:,} more", highlight=False)


def note_clipping(log: Mapping[str, Any], remedy: str, step: str = "") -> None:
    """A note on standard error where a training log tells that more than half of its steps were clipped.

    Args:
        log: of the run; those of older runs do not tell.
        remedy: what can be done.
        step: of a recipe, whose log it is.
    """
    share = log.get("clipped_steps", 0.0)
    if share > OFTEN:
        who = f"{step}: " if step else ""
        line = f"gradients were clipped in {share:.0%} of the steps, so their sizes had little say; {remedy}"
        err.print(f"note: {who}{line}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def show_notes(notes: list[str]) -> None:
    """Print what a user must know of an input that is used all the same, a line each, on standard error."""
    for note in notes:
        err.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def show(result: Shown, as_json: bool = False) -> None:
    """Print what a verb gave: its tables and lines, or with `--json` one JSON object."""
    if as_json:
        import json

        print(json.dumps(result.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    for table in result.tables():
        # A terminal folds what is wider; elsewhere nothing is cut.
        if out.is_terminal:
            out.print(table.rich())
        else:
            print(table.text())
    for line in result.lines():
        out.print(line, highlight=False, soft_wrap=True, markup=False)


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


@contextmanager
def steps() -> Iterator[Callable[[Step], Callable[[int], None]]]:
    """A function for `recipe.run.run` that gives each step a line of its own with count, rate and time so far."""
    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:

        def on_step(step: Step) -> Callable[[int], None]:
            _end_last(bar)
            task = bar.add_task(step.name, total=step.total(), unit=step.unit)
            return lambda done: bar.advance(task, done)

        yield on_step
        _end_last(bar)


def _end_last(bar: Progress) -> None:
    """Stop the last task's clock; what it has done is all there was to do."""
    for task in bar.tasks[-1:]:
        bar.update(task.id, total=task.completed)
        bar.stop_task(task.id)

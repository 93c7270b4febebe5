"""What documents print for a user to type, as the tests read it: commands and Python programs, in their order."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_PYTHON = ("import ", "from ")
_COMMAND = re.compile(r"(?:\w+=\S+ )*rankdistill\b")


@dataclass(frozen=True)
class Printed:
    """One command line, without its comment, or one program.

    Args:
        kind: of it.
        text: as printed; lines that end in a backslash are joined.
        section: the `##` heading that it stands under.
        line: its place in the document, from 1.
    """

    kind: Literal["command", "python"]
    text: str
    section: str
    line: int


@dataclass(frozen=True)
class _Block:
    language: str
    lines: list[str]
    section: str
    line: int


def printed(document: Path) -> list[Printed]:
    """Every command that begins with `rankdistill`, and every Python program, of fenced and of indented blocks."""
    found: list[Printed] = []
    for block in _blocks(document.read_text(encoding="utf-8").splitlines()):
        text = textwrap.dedent("\n".join(block.lines)).strip("\n")
        if block.language == "python" or (not block.language and text.startswith(_PYTHON)):
            found.append(Printed("python", text, block.section, block.line))
        elif block.language in ("", "bash", "sh", "console"):
            lines = re.sub(r"\\\n\s*", "", text).splitlines()
            found += [
                Printed("command", without_comment(line), block.section, block.line)
                for line in lines
                if _COMMAND.match(line)
            ]
    return found


def programs(document: Path) -> list[str]:
    """The Python programs of a document."""
    return [one.text for one in printed(document) if one.kind == "python"]


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a document in one language."""
    found = _blocks(document.read_text(encoding="utf-8").splitlines())
    return ["\n".join(block.lines) for block in found if block.language == language]


def spans(document: Path) -> list[str]:
    """What stands between single backticks in the running text; a span may go over the end of a line."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def without_comment(line: str) -> str:
    """A command line up to its comment."""
    return re.split(r"\s+# ", line, maxsplit=1)[0].strip()


def commands_of(line: str) -> list[list[str]]:
    """The words of each command of a line with `;` or `|`; assignments before one are left out."""
    commands: list[list[str]] = [[]]
    for word in shlex.split(line.replace(";", " ; ") if '"' not in line else line):
        if word in ("|", ";"):
            commands.append([])
        elif commands[-1] or not re.fullmatch(r"\w+=\S*", word):
            commands[-1].append(word)
    return commands


def _blocks(lines: list[str]) -> Iterator[_Block]:
    section, place = "", 0
    while place < len(lines):
        line = lines[place]
        start = place
        if line.startswith("```"):
            place += 1
            while not lines[place].startswith("```"):
                place += 1
            yield _Block(line.strip("`").strip() or "text", lines[start + 1 : place], section, start + 1)
            place += 1
        elif line.startswith("    "):
            while place < len(lines) and (lines[place].startswith("    ") or _goes_on(lines, place)):
                place += 1
            yield _Block("", lines[start:place], section, start + 1)
        else:
            section = line.removeprefix("## ") if line.startswith("## ") else section
            place += 1


def _goes_on(lines: list[str], place: int) -> bool:
    """Whether an empty line lies within an indented block."""
    return not lines[place] and place + 1 < len(lines) and lines[place + 1].startswith("    ")

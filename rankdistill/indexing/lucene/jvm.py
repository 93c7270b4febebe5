"""The Java machine inside this process, and Anserini's classes in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rankdistill import _extras
from rankdistill.errors import DataError, MissingDependencyError
from rankdistill.indexing.lucene.java import REMEDY, Java, find

HEAP = "-Xmx2g"
"""Lucene maps its files into memory, so that searching needs little heap; `_JAVA_OPTIONS=-Xmx8g` asks for more."""

MOST_TERMS = 1 << 20
"""Of a query; Lucene's own limit of 1,024 refuses long texts and learned weights."""

VECTORS = "jdk.incubator.vector"
"""The module with which Lucene compares dense vectors faster. A runtime without it that is asked for it exits."""


def anserini() -> Path:
    """The jar with Anserini and Lucene that Pyserini brings.

    Raises:
        MissingDependencyError: pyserini is not installed.
    """
    spec = find_spec("pyserini")
    jars = sorted(Path(spec.origin).parent.glob("resources/jars/anserini-*-fatjar.jar")) if spec and spec.origin else []
    if not jars:
        raise MissingDependencyError(
            expected="the library 'pyserini', which Lucene indexes need",
            got="it is not installed",
            consequence="nothing was run",
            remedy='pip install "rankdistill[lucene]"',
        )
    return jars[-1]


def options(java: Java) -> list[str]:
    """How `java` is to be started for Lucene: memory, and no warnings about what Lucene does."""
    chosen = [HEAP, "--enable-native-access=ALL-UNNAMED"]
    if java.version >= 23:
        chosen.append("--sun-misc-unsafe-memory-access=allow")
    if VECTORS in java.modules:
        chosen.append(f"--add-modules={VECTORS}")
    return chosen


@cache
def start() -> Callable[[str], Any]:
    """Start the Java machine where none runs yet; the function that gives a Java class by its name.

    It takes no signals, so that Ctrl-C stays Python's. A machine that Pyserini started before is used as it is.

    Raises:
        MissingDependencyError: there is no Pyserini, no Java that is new enough, or it does not start.
    """
    jar, java = anserini(), find()
    config = _extras.require("jnius_config", "Lucene search")
    if not config.vm_running:
        config.add_classpath(str(jar))
        config.add_options("-Xrs", *options(java))
    os.environ["JAVA_HOME"] = str(java.home)
    try:
        from jnius import autoclass

        autoclass("java.util.logging.LogManager").getLogManager().reset()
        autoclass("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(MOST_TERMS)
    except (ImportError, OSError, RuntimeError, SystemError) as error:
        raise MissingDependencyError(
            expected=f"{java} to start in this process",
            got=" ".join(str(error).split())[:300],
            consequence="nothing was searched",
            remedy=REMEDY,
        ) from error
    load: Callable[[str], Any] = autoclass
    return load


@contextmanager
def java_errors(subject: str) -> Iterator[None]:
    """Turn an exception of Java into an error of ours; `subject` is what was being read or searched."""
    from jnius import JavaException

    try:
        yield
    except JavaException as error:
        full = "OutOfMemory" in str(error)
        raise DataError(
            expected=f"Lucene to search {subject}",
            got=str(error).removeprefix("JVM exception occurred: ").partition("\n")[0][:300],
            consequence="nothing was searched",
            remedy="give Java more memory: export _JAVA_OPTIONS=-Xmx8g"
            if full
            else "remove the folder of the index, then build it again",
        ) from error

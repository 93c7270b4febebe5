"""The Java machine inside this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rankdistill.indexing.lucene import jvm
from rankdistill.indexing.lucene.bm25 import LuceneBm25Index


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal: a process that was started in the background ignores it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("lucene", "interruptible")
def test_an_interrupt_stays_pythons() -> None:
    """A Java machine that handles signals would end the process without a word."""
    jvm.start()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_it_is_started_once(lucene: None) -> None:
    assert jvm.start() is jvm.start()


def test_paths_are_taken_from_where_python_is(lucene: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java machine keeps the working directory of its start."""
    jvm.start()
    monkeypatch.chdir(tmp_path)
    made = LuceneBm25Index()
    made.add(["a"], ["a slow river"])
    Path("here").mkdir()
    made.save(Path("here"))
    assert LuceneBm25Index.load(Path("here")).search(["river"], 1)[0].tolist() == [["a"]]

"""The Java machine inside this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from rankdistill.index.lucene import jvm


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

"""The Java machine inside this process."""

from __future__ import annotations

import signal

import pytest

from rankdistill.index.lucene import jvm


def test_an_interrupt_stays_pythons(lucene: None) -> None:
    """A Java machine that handles signals would end the process without a word."""
    jvm.start()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_it_is_started_once(lucene: None) -> None:
    assert jvm.start() is jvm.start()

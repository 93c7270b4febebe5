"""A thread keeps the stack on which it hears signals, whatever was run with OpenVINO, and hears them."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading

import pytest

from rankdistill.inference import PairScorer
from rankdistill.inference.backends.signal_stack import signal_stack_kept
from tests.inference.test_pair_scorer import PAIRS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="OpenVINO changes it on Linux only")


class Stack(ctypes.Structure):
    _fields_ = (("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def stack() -> tuple[int | None, int, int]:
    """Place, flags and size of this thread's."""
    found = Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found)) == 0
    return found.place, found.flags, found.size


def hears() -> bool:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
    return heard == [signal.SIGTERM]


@pytest.mark.parametrize("backend", ["openvino", "openvino-int8"])
def test_models_may_be_dropped_in_any_order_and_thread(backend: str, tiny_cross_encoder: str) -> None:
    before = stack()
    opened = [PairScorer(tiny_cross_encoder, backend=backend, device="cpu", calibration=PAIRS) for _ in range(3)]
    assert stack() == before, "a signal would be written to memory that is freed with the model"
    del opened[0]
    thread = threading.Thread(target=opened.pop)
    thread.start()
    thread.join()
    opened.clear()
    gc.collect()
    assert stack() == before
    assert hears()


def test_the_stack_of_before_comes_back_after_an_error_too() -> None:
    room = ctypes.create_string_buffer(1 << 16)
    before, other = stack(), Stack(ctypes.addressof(room), 0, len(room))

    def load() -> None:
        with signal_stack_kept():
            assert ctypes.CDLL(None).sigaltstack(ctypes.byref(other), None) == 0
            assert stack() != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load()
    assert stack() == before

"""The stack on which a thread hears signals, kept where OpenVINO would put one of its own in its place."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = (("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Give this thread back, at the end, the alternate signal stack that it had.

    OpenVINO's CPU plugin sets one of its own in the thread that loads it, for processors whose registers need much
    room, and frees it when it is unloaded; the one before comes back only where the unloading thread is the same and
    has that one still. Of two that are unloaded in the order in which they were loaded, or of one that is unloaded in
    another thread, a thread keeps a stack that is freed, and Python, which hears signals there, then dies of the next
    one (Ctrl-C, SIGTERM) with a segmentation fault. The plugin needs its stack while it asks the kernel for the
    registers, which is over when it is loaded.
    """
    if sys.platform != "linux":
        yield
        return
    change = ctypes.CDLL(None).sigaltstack
    before = _Stack()
    change(None, ctypes.byref(before))
    try:
        yield
    finally:
        change(ctypes.byref(before), None)

"""Imports of libraries that report their use over the network, made so that they do not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_REPORTER = "openvino_telemetry"


@contextmanager
def unreported() -> Iterator[None]:
    """What OpenVINO and NNCF report with is not found by imports within.

    OpenVINO reports when it is imported, unasked, from a process that it forks for it.
    """
    if _REPORTER in sys.modules:
        yield
        return
    sys.modules[_REPORTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_REPORTER]

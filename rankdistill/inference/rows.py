"""One row of output for each text: numpy would spread a single row over all of them without a word."""

from __future__ import annotations

from collections.abc import Sized

from rankdistill.errors import BackendError


def require(found: Sized, texts: int, runner: str) -> None:
    """Raise BackendError unless what `runner` found for so many `texts` has as many rows."""
    if len(found) != texts:
        raise failed(texts, runner, f"{len(found)} rows")


def failed(texts: int, runner: str, got: str) -> BackendError:
    """The error of `runner`, which did not give a row for each of so many `texts`."""
    return BackendError(
        expected=f"a row of numbers for each of {texts} texts from {runner}",
        got=got,
        consequence="none of this run's numbers was kept",
        remedy="take another back end; torch runs every model",
    )

"""A worker whose model needs no libraries that take seconds to import; everything else of it is the real one.

The model's folder says in `length` how long its vectors are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rankdistill.errors import DataError
from rankdistill.serving import models, worker
from tests.serving.fakes import FakeModel


def load_model(reference: str, *, name: str, **settings: Any) -> FakeModel:
    """A model of hashes."""
    length = Path(reference) / "length"
    if not length.is_file():
        raise DataError(expected=f"{length}", got="no such file", consequence="nothing is served")
    return FakeModel(name, dimensions=(int(length.read_text()),))


if __name__ == "__main__":
    models.load_model = load_model  # type: ignore[assignment]
    worker.main()

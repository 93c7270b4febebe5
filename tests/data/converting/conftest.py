"""What tests of conversions share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rankdistill.data import Dataset, meta
from rankdistill.verbs import data

Convert = Callable[..., Dataset]


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Converts what lies at a path into `out` below the test's folder, or into another `out`."""

    def run(place: Path | str, out: str = "out", **settings: Any) -> Dataset:
        return data.convert(place, tmp_path / out, **settings)

    return run


def corpus(dataset: Dataset) -> list[dict[str, Any]]:
    """The rows of the corpus as they were written."""
    return [json.loads(line) for line in dataset.corpus_path.read_text(encoding="utf-8").split("\n") if line]


def told(dataset: Dataset) -> dict[str, Any]:
    """What the folder says of its conversion."""
    found = meta.read(dataset.path).conversion
    assert found is not None
    return dict(found)

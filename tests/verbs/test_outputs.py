"""What a user's folder holds is not taken over by an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill.errors import OutputError, StaleOutputError


@pytest.mark.parametrize(
    "call",
    [
        lambda data: rd.mine(data, data, depth=3),
        lambda data: rd.evaluate(data, "bm25", data),
        lambda data: rd.index(data, None, data, backend="bm25"),
    ],
)
def test_a_collection_is_no_place_for_an_artefact(call: Any, tiny_beir: Path) -> None:
    with pytest.raises(StaleOutputError, match="it holds a collection"):
        call(tiny_beir)
    assert not (tiny_beir / "manifest.json").exists()
    found = rd.mine(tiny_beir, tiny_beir / "candidates", depth=3)
    assert found.path == tiny_beir / "candidates"
    assert repr(rd.open(tiny_beir)).startswith("Dataset")


def test_a_folder_that_cannot_be_made_is_told(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a folder that can be made"):
        rd.mine(tiny_beir, "/proc/none/out", depth=3)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a folder as the output"):
        rd.mine(tiny_beir, tmp_path / "file", depth=3)

"""The verb `index`, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.cli.index import index
from rankdistill.errors import ConfigError, DataError, RankdistillError, StaleOutputError
from rankdistill.indexing import load
from tests.cli.verb import run_verb


def test_an_index_is_built_and_then_up_to_date(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    line = ["--data", tiny_beir, "--model", tiny_encoder, "--factory", "HNSW32", "--out", tmp_path / "index"]
    first = run_verb(index, *line, "--shard-size", 15, "--search", "efSearch=40", "--backend", "torch")
    assert "40 documents" in first.stdout
    assert (
        "up to date"
        in run_verb(index, *line, "--shard-size", 15, "--search", "efSearch=40", "--backend", "torch").stderr
    )
    found = load(tmp_path / "index")
    assert len(found.ids) == 40
    assert found.made.parameters["search_parameters"] == {"efSearch": 40.0}
    with pytest.raises(StaleOutputError, match="factory"):
        run_verb(index, "--data", tiny_beir, "--model", tiny_encoder, "--out", tmp_path / "index", "--backend", "torch")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--factory", "nonsense"], ConfigError, "factory string"),
        (["--factory", "IVF64,Flat"], ConfigError, "40 vectors"),
        (["--search", "efSearch"], ConfigError, "NAME=VALUE"),
        (["--shard-size", "0"], ConfigError, "shard"),
        (["--data", "nowhere"], DataError, "no such folder"),
    ],
)
def test_bad_options_are_errors_of_ours(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, options: list[str], error: type[RankdistillError], message: str
) -> None:
    line = ["--data", tiny_beir, "--model", tiny_encoder, "--out", tmp_path / "index", "--backend", "torch"]
    with pytest.raises(error, match=message):
        run_verb(index, *line, *options)
    assert not (tmp_path / "index" / "manifest.json").exists()

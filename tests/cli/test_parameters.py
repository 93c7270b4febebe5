"""Search parameters reach the index that they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.errors import ConfigError
from rankdistill.indexing import build
from rankdistill.verbs.parameters import parameters_of
from tests.cli.verb import Run

ONE, TWO = Path("runs/one"), Path("s3://bucket/two")


def test_each_index_gets_its_own() -> None:
    assert parameters_of(["efSearch=256", "nprobe=8"], [ONE]) == [{"efSearch": 256, "nprobe": 8}]
    assert parameters_of(["runs/one:efSearch=256"], [ONE]) == [{"efSearch": 256}]
    given = ["runs/one/:a=1", "s3://bucket/two:b=2", "s3://bucket/two:a=3"]
    assert parameters_of(given, [ONE, TWO]) == [{"a": 1}, {"b": 2, "a": 3}]
    assert parameters_of(["runs/one:a=1"], [ONE, ONE]) == [{"a": 1}, {"a": 1}]
    assert parameters_of([], [ONE, TWO]) == [{}, {}]
    assert parameters_of([], []) == []


@pytest.mark.parametrize(
    ("text", "indexes", "remedy"),
    [
        ("efSearch=8", [ONE, TWO], "write runs/one:efSearch=8"),
        ("three:efSearch=8", [ONE, TWO], "write runs/one:efSearch=8"),
        ("efSearch=8", [], "add --index INDEX"),
        ("efSearch", [ONE, TWO], "a name, an equals sign and a number"),
        ("efSearch", [ONE], "a name, an equals sign and a number"),
        ("runs/one:efSearch=much", [ONE, TWO], "a name, an equals sign and a number"),
    ],
)
def test_what_is_not_clear_is_refused(text: str, indexes: list[Path], remedy: str) -> None:
    with pytest.raises(ConfigError) as error:
        parameters_of([text], indexes)
    assert remedy in error.value.remedy


def test_one_of_several_indexes_is_addressed_through_the_verbs(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build(data.load(tiny_beir), tiny_encoder, Path("GRAPH"), "HNSW8", backend="torch")
    build(data.load(tiny_beir), None, Path("WORDS"), "bm25")
    both = ["--index", "GRAPH", "--index", "WORDS", "--fusion", "rrf"]
    lines = (
        ["search", *both, "--query", "the river"],
        ["evaluate", *both, "--data", tiny_beir, "--out", "out", "--backend", "torch"],
    )
    for line in lines:
        status, shown = rankdistill(*line, "--parameter", "GRAPH:efSearch=64")
        assert status == 0, shown
        for wrong, said in (
            ("efSearch=64", "write GRAPH:efSearch=64"),
            ("WORDS:efSearch=64", "search parameters of 'bm25': it has none"),
            ("GRAPHS:efSearch=64", "'GRAPHS:efSearch=64' with the indexes GRAPH, WORDS"),
        ):
            status, shown = rankdistill(*line, "--parameter", wrong)
            assert (status, "ConfigError" in shown, said in shown) == (1, True, True), shown
            assert "Traceback" not in shown
    in_memory = ["evaluate", "--model", tiny_encoder, "--data", tiny_beir, "--out", "other"]
    status, shown = rankdistill(*in_memory, "--parameter", "efSearch=64")
    assert (status, "add --index INDEX" in shown) == (1, True)

"""The verb `mine`, as a user types it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from rankdistill.cli.mine import mine
from rankdistill.errors import ConfigError, DataError, RankdistillError
from rankdistill.mining import candidates

app = typer.Typer()
app.command()(mine)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, RankdistillError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_line_of_the_manual_works_and_a_second_time_does_nothing(tiny_beir: Path, tmp_path: Path) -> None:
    arguments = ("--data", tiny_beir, "--split", "train", "--source", "bm25", "--depth", 5, "--out", tmp_path / "c")
    assert "candidates of 12 queries" in run(*arguments)
    found = pl.DataFrame(candidates.read(tmp_path / "c"))
    assert set(found["source"]) == {"bm25"}
    assert found["rank"].max() == 5
    assert "up to date" in run(*arguments)


def test_ranks_below_the_end_of_every_list_are_told_of(tiny_beir: Path, tmp_path: Path) -> None:
    arguments = ("--data", tiny_beir, "--split", "train", "--source", "bm25", "--depth", 90)
    assert "note: bm25 gave no negative" in run(*arguments, "--ranks", "80:90", "--out", tmp_path / "none")
    assert "note:" not in run(*arguments, "--out", tmp_path / "all")


def test_every_flag_reaches_the_table(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    out = tmp_path / "c"
    flags = ("--ranks", "2:9", "--sample", 3, "--seed", 5, "--limit-queries", 4, "--depth", 10)
    sources = ("--source", "bm25", "--source", "dense", "--model", tiny_encoder, "--max-length", 16)
    output = run("--data", tiny_beir, "--out", out, *flags, *sources)
    assert "bm25: " in output
    assert "dense: " in output
    found = pl.DataFrame(candidates.read(out))
    assert found["query_id"].n_unique() == 4
    others = found.filter(pl.col("label").is_null())
    assert others.group_by("query_id", "source").len()["len"].max() == 3
    assert others["rank"].is_between(2, 9).all()


def test_a_fused_mix_with_sources_of_one_kind(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    sources = ("--source", f"a=dense:{tiny_encoder}", "--source", f"b=dense:{tiny_encoder}", "--source", "bm25")
    flags = ("--fusion", "rrf", "--weights", "1,0.5,2", "--ranks", "fused=2:6", "--sample", "fused=3")
    output = run("--data", tiny_beir, "--out", tmp_path / "c", *sources, *flags)
    assert "fused: " in output
    found = pl.DataFrame(candidates.read(tmp_path / "c"))
    assert set(found["source"]) == {"a", "b", "bm25", "fused"}
    drawn = found.filter(pl.col("label").is_null() & (pl.col("source") == "fused"))
    assert drawn.group_by("query_id").len()["len"].max() == 3


def test_bad_rows_stop_it_unless_lenient(tiny_beir: Path, tmp_path: Path) -> None:
    with (tiny_beir / "qrels/train.tsv").open("a") as stream:
        stream.write("nobody\td00\t1\n")
    with pytest.raises(DataError, match="unknown query 'nobody'"):
        run("--data", tiny_beir, "--out", tmp_path / "c")
    output = run("--data", tiny_beir, "--out", tmp_path / "c", "--lenient")
    assert "unknown query 'nobody'" in output


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("--split", "nothing"), DataError),
        (("--source", "splade"), ConfigError),
        (("--source", "dense"), ConfigError),
        (("--ranks", "5"), ConfigError),
        (("--ranks", "1:60"), ConfigError),
        (("--ranks", "dense=1:5"), ConfigError),
        (("--sample", "few"), ConfigError),
        (("--fusion", "rrf"), ConfigError),
        (("--fusion", "borda"), ConfigError),
        (("--weights", "1"), ConfigError),
        (("--depth", "0"), ConfigError),
        (("--limit-queries", "0"), ConfigError),
        (("--source", "bm25", "--source", "bm25"), ConfigError),
    ],
)
def test_wrong_flags_are_errors_of_ours_and_write_nothing(
    tiny_beir: Path, tmp_path: Path, flags: tuple[str, ...], error: type[RankdistillError]
) -> None:
    with pytest.raises(error):
        run("--data", tiny_beir, "--out", tmp_path / "c", *flags)
    assert not (tmp_path / "c/candidates.parquet").exists()

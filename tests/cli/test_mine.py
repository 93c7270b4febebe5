"""The verb `mine`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from rankdistill.cli.mine import mine
from rankdistill.data import load
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


@pytest.mark.parametrize("threads", [1, 2])
def test_texts_beyond_the_positions_are_cut_there_and_a_longer_length_is_refused(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, threads: int
) -> None:
    """On one thread OpenVINO gave such texts the previous text's vector: two about stones came first for a river."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import semantic_search

    lines = (tiny_beir / "corpus.jsonl").read_text(encoding="utf-8")
    for number, words in enumerate(("stone glass ", "sweet engine ", "iron planet ")):
        lines += json.dumps({"_id": f"long{number}", "title": "", "text": words * 90}) + "\n"
    (tiny_beir / "corpus.jsonl").write_text(lines, encoding="utf-8")
    given = ("--data", tiny_beir, "--split", "test", "--source", f"dense:{tiny_encoder}", "--depth", 43)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with pytest.raises(ConfigError, match=r"max_length of at most 64[\s\S]*got: 1024"):
            run(*given, "--max-length", 1024, "--out", tmp_path / "refused")
        assert not (tmp_path / "refused" / "candidates.parquet").exists()
        run(*given, "--out", tmp_path / "c")
    finally:
        torch.set_num_threads(before)
    found = pl.DataFrame(candidates.read(tmp_path / "c")).filter(pl.col("rank").is_not_null())
    data = load(tiny_beir)
    original = SentenceTransformer(tiny_encoder, device="cpu")
    original.max_seq_length = 64
    doc_ids, queries = list(data.contents), data.queries("test")
    hits = semantic_search(
        original.encode(list(queries.values()), convert_to_tensor=True),
        original.encode(list(data.contents.values()), convert_to_tensor=True),
        top_k=43,
    )
    expected = {
        (query_id, doc_ids[int(hit["corpus_id"])]): hit["score"]
        for query_id, row in zip(queries, hits, strict=True)
        for hit in row
    }
    scores = found.select("query_id", "doc_id", "source_score").rows()
    assert {doc_id for _, doc_id, _ in scores} >= {"long0", "long1", "long2"}
    assert [score for _, _, score in scores] == pytest.approx(
        [expected[query_id, doc_id] for query_id, doc_id, _ in scores], abs=1e-5
    )

"""The README's commands of the main job and of teacher scores run one after the other, on tiny data."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

from rankdistill.mining import candidates
from rankdistill.stores.reader import ScoreStore
from tests.cli.verb import Run

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
CHEAP = {
    "teach": ["--steps", "2", "--batch-size", "2", "--no-bf16"],
    "train": ["--steps", "2", "--no-check"],
    "score": ["--backend", "torch"],
    "plan": ["--backend", "torch"],
}
ELSEWHERE = ("data pydocs", "--executor ray")
"""Commands that other tests run: on this data, or with what they need installed."""


def commands(title: str) -> list[list[str]]:
    """The commands of a section, without their comments."""
    (section,) = re.findall(rf"^## {title}$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^    (rankdistill .+)$", section, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines if not any(one in line for one in ELSEWHERE)]


def test_the_commands_run_as_printed(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny_beir / "qrels/train.tsv", tiny_beir / "qrels/dl19.tsv")  # of the queries that are mined
    names = {"DIR": str(tiny_beir), "MODEL": tiny_encoder, "0,5": "0,2"}

    def run(*words: str) -> None:
        status, said = rankdistill(*(names.get(word, word) for word in words), *CHEAP.get(words[0], []))
        assert status == 0, f"{' '.join(words)}: {said}"

    for name, model in (("OUT_A", "bm25"), ("OUT_B", tiny_encoder)):
        run("evaluate", "--data", "DIR", "--split", "test", "--model", model, "--out", name)
    for words in commands("The main job, verb by verb"):
        run(*words)
    run_of_bm25(tmp_path / "CANDIDATES", tmp_path / "RUN")
    for words in commands("Teacher scores, from anywhere, checked"):
        if "A,B,C" in words:
            names["A,B,C"] = ",".join(ScoreStore(tmp_path / "STORE").teacher_ids)
            names["STUDENT"] = "ENSEMBLE_STUDENT"
        run(*words)
    assert (tmp_path / "FILE.parquet").is_file()
    assert (tmp_path / "check.html").is_file()


def run_of_bm25(mined: Path, out: Path) -> None:
    """The candidates as the TREC run of another tool."""
    found = pl.DataFrame(candidates.read(mined)).filter(pl.col("rank").is_not_null())
    rows = found.select("query_id", "doc_id", "rank", "source_score").iter_rows()
    out.write_text("".join(f"{query} Q0 {document} {rank} {score} bm25\n" for query, document, rank, score in rows))

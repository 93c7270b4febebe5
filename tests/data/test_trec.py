"""TREC runs and qrels: the same values come back, and bad lines are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import ir_measures
import pytest

from rankdistill.data import trec
from rankdistill.errors import DataError

RUN = {"q1": {"d2": 0.1 + 0.2, "d1": 7.0, "d3": 7.0}, "q2": {"d1": -1e-9}}
QRELS = {"q1": {"d1": 2, "d2": -1}, "q2": {"d1": 0}}


@pytest.mark.parametrize("name", ["run.txt", "run.txt.gz"])
def test_a_run_comes_back_exactly(tmp_path: Path, name: str) -> None:
    trec.write_run(tmp_path / name, RUN, "tag")
    assert trec.read_run(tmp_path / name) == (RUN, [])


def test_run_lines_have_six_columns_ranked_as_trec_eval_ranks(tmp_path: Path) -> None:
    """By score, and equal scores by falling id: what is measured, and what the table of hits shows."""
    trec.write_run(tmp_path / "run", RUN, "me")
    assert (tmp_path / "run").read_text().splitlines() == [
        "q1 Q0 d3 1 7.0 me",
        "q1 Q0 d1 2 7.0 me",
        "q1 Q0 d2 3 0.30000000000000004 me",
        "q2 Q0 d1 1 -1e-09 me",
    ]


@pytest.mark.parametrize("name", ["qrels.txt", "qrels.txt.gz"])
def test_qrels_come_back_exactly(tmp_path: Path, name: str) -> None:
    trec.write_qrels(tmp_path / name, QRELS)
    assert trec.read_qrels(tmp_path / name) == (QRELS, [])


def test_ir_measures_reads_what_we_write(tmp_path: Path) -> None:
    trec.write_run(tmp_path / "run", RUN, "me")
    trec.write_qrels(tmp_path / "qrels", QRELS)
    run = {(row.query_id, row.doc_id): row.score for row in ir_measures.read_trec_run(str(tmp_path / "run"))}
    assert run == {(query, doc): score for query, scores in RUN.items() for doc, score in scores.items()}
    qrels = {(row.query_id, row.doc_id): row.relevance for row in ir_measures.read_trec_qrels(str(tmp_path / "qrels"))}
    assert qrels == {(query, doc): label for query, labels in QRELS.items() for doc, label in labels.items()}


def test_gzip_files_depend_on_content_only(tmp_path: Path) -> None:
    trec.write_run(tmp_path / "a.gz", RUN, "t")
    trec.write_run(tmp_path / "b.gz", RUN, "t")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()).startswith(b"q1 Q0 d3")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("q1 Q0 d9 1 2.0", "5 columns, not 6"),
        ("q1 Q0 d9 one 2.0 tag", "rank 'one' is no integer"),
        ("q1 Q0 d9 1 high tag", "score 'high' is no number"),
        ("q1 Q0 d9 1 nan tag", "not finite"),
        ("q1 Q0 d9 1 inf tag", "not finite"),
        ("q1 Q0 d1 1 2.0 tag", "stand above already"),
    ],
)
def test_bad_run_rows_are_errors_when_strict_and_reported_when_lenient(tmp_path: Path, row: str, problem: str) -> None:
    path = tmp_path / "run"
    path.write_text(f"q1 Q0 d1 1 3.0 tag\n\n{row}\n")
    with pytest.raises(DataError) as caught:
        trec.read_run(path)
    assert f"{path}:3: " in str(caught.value)
    assert problem in str(caught.value)
    run, reports = trec.read_run(path, "lenient")
    assert run == {"q1": {"d1": 3.0}}
    assert len(reports) == 1


@pytest.mark.parametrize("row", ["q1 0 d9", "q1 0 d9 high", "q1 0 d9 1.5", "q1 0 d1 0"])
def test_bad_qrels_rows_are_errors_with_their_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "qrels").write_text(f"q1 0 d1 1\n{row}\n")
    with pytest.raises(DataError, match="qrels:2: "):
        trec.read_qrels(tmp_path / "qrels")
    assert trec.read_qrels(tmp_path / "qrels", "lenient")[0] == {"q1": {"d1": 1}}


def test_a_file_without_rows_is_an_error_even_when_lenient(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("\n")
    with pytest.raises(DataError, match="no usable row"):
        trec.read_run(tmp_path / "run", "lenient")


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a readable file"):
        trec.read_run(tmp_path / "absent")


@pytest.mark.parametrize(
    ("run", "tag"),
    [
        ({"q 1": {"d": 1.0}}, "t"),
        ({"q": {"d\t1": 1.0}}, "t"),
        ({"q": {"d": 1.0}}, "two words"),
        ({"q": {"d": float("nan")}}, "t"),
        ({"": {"d": 1.0}}, "t"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path: Path, run: dict[str, dict[str, float]], tag: str) -> None:
    with pytest.raises(DataError):
        trec.write_run(tmp_path / "run", run, tag)
    assert list(tmp_path.iterdir()) == []


def test_runs_that_were_joined_keep_no_byte_order_mark(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    (tmp_path / "run").write_bytes(mark + b"q1 Q0 d1 1 3.0 tag\n" + mark + b"q2 Q0 d1 1 2.0 tag\n")
    assert trec.read_run(tmp_path / "run") == ({"q1": {"d1": 3.0}, "q2": {"d1": 2.0}}, [])

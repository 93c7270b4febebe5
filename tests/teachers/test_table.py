"""The table teacher: stored scores found again by their texts, from every kind of file, and none made up."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankdistill import data as datasets
from rankdistill.errors import DataError, StoreError, TeacherError
from rankdistill.files import hash_file
from rankdistill.manifest import Manifest
from rankdistill.teachers import PairTeacher, TeacherSpec
from rankdistill.teachers.base import ScoreKind

Rows = list[tuple[str, str, float]]
Texts = dict[tuple[str, str], tuple[str, str]]


@pytest.fixture
def rows() -> Rows:
    generator = random.Random(5)
    pairs = [(f"q{query:02d}", f"d{document:02d}") for query in range(6) for document in range(0, 40, 3)]
    generator.shuffle(pairs)
    return [(*pair, round(generator.uniform(-9, 9), 4)) for pair in pairs]


@pytest.fixture
def texts(tiny_beir: Path, rows: Rows) -> Texts:
    dataset = datasets.load(tiny_beir)
    return {(query, document): (dataset.query_texts[query], dataset.contents[document]) for query, document, _ in rows}


def write_trec(folder: Path, rows: Rows) -> Path:
    path = folder / "run.trec"
    path.write_text("".join(f"{query} Q0 {document} 1 {score} tag\n" for query, document, score in rows))
    return path


def write_four(folder: Path, rows: Rows) -> Path:
    path = folder / "run.tsv.gz"
    with gzip.open(path, "wt") as stream:
        stream.writelines(f"{query}\t{document}\t1\t{score}\n" for query, document, score in rows)
    return path


def write_three(folder: Path, rows: Rows) -> Path:
    path = folder / "scores.txt"
    path.write_text("".join(f"{query} {document} {score}\n" for query, document, score in rows))
    return path


def frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["query_id", "doc_id", "score"], orient="row")


def write_parquet(folder: Path, rows: Rows) -> Path:
    path = folder / "run.parquet"
    frame(rows).with_columns(rank=pl.lit(1)).write_parquet(path)
    return path


def write_shards(folder: Path, rows: Rows) -> Path:
    path = folder / "shards"
    path.mkdir()
    for number in range(2):
        frame(rows[number::2]).write_parquet(path / f"part-{number}.parquet")
    return path


def write_store(folder: Path, rows: Rows, teachers: tuple[str, ...] = ("cross-encoder-1", "table-2")) -> Path:
    store = folder / "store"
    for teacher in teachers:
        (store / "scores" / teacher).mkdir(parents=True)
        scores = frame(rows) if teacher == teachers[0] else frame(rows).with_columns(pl.col("score") * 2)
        scores.write_parquet(store / "scores" / teacher / "part-0.parquet")
    fingerprints = {teacher: {"name": f"name of {teacher}"} for teacher in teachers}
    shards = {teacher: f"scores/{teacher}/part-0.parquet" for teacher in teachers}
    outputs = {shard: hash_file(store / shard) for shard in shards.values()}
    Manifest("scores", parameters={"teachers": fingerprints}, outputs=outputs).write(store)
    return store


WRITERS = [write_trec, write_four, write_three, write_parquet, write_shards]


def load(path: Path, data: Path, score_kind: ScoreKind = "dot", **more: Any) -> PairTeacher:
    settings = {"path": str(path), "data": str(data), "name": "bm25", "score_kind": score_kind, **more}
    return TeacherSpec("table", settings).load()


@pytest.mark.parametrize("write", WRITERS)
def test_every_file_gives_each_pair_of_texts_its_score(
    write: Callable[[Path, Rows], Path], rows: Rows, texts: Texts, tiny_beir: Path, tmp_path: Path
) -> None:
    teacher = load(write(tmp_path, rows), tiny_beir)
    assert isinstance(teacher, PairTeacher)
    done: list[int] = []
    scores = teacher.score([texts[query, document] for query, document, _ in rows], done.append)
    assert scores.dtype == np.float32
    assert scores.tolist() == np.array([score for *_, score in rows], dtype=np.float32).tolist()
    assert done == [len(rows)]
    assert teacher.score_kind == teacher.fingerprint["score_kind"] == "dot"
    assert teacher.fingerprint["name"] == "bm25"


def test_the_same_scores_are_the_same_teacher_whatever_file_they_are_in(
    rows: Rows, tiny_beir: Path, tmp_path: Path
) -> None:
    assert len({load(write(tmp_path, rows), tiny_beir).teacher_id for write in WRITERS}) == 1


def test_whatever_changes_scores_changes_the_teacher_id(rows: Rows, tiny_beir: Path, tmp_path: Path) -> None:
    path = write_trec(tmp_path, rows)
    ids = {load(path, tiny_beir).teacher_id, load(path, tiny_beir, score_kind="logit").teacher_id}
    query, document, score = rows[0]
    ids.add(load(write_three(tmp_path, [(query, document, score + 1), *rows[1:]]), tiny_beir).teacher_id)
    with (tiny_beir / "queries.jsonl").open("a") as stream:
        stream.write(json.dumps({"_id": "q99", "text": "a new one"}) + "\n")
    ids.add(load(path, tiny_beir).teacher_id)
    assert len(ids) == 4


@pytest.mark.parametrize("named", ["table-2", "table", "name of table-2"])
def test_scores_of_another_store(named: str, rows: Rows, texts: Texts, tiny_beir: Path, tmp_path: Path) -> None:
    teacher = load(write_store(tmp_path, rows), tiny_beir, teacher=named)
    query, document, score = rows[0]
    assert teacher.score([texts[query, document]])[0] == np.float32(score) * 2


@pytest.mark.parametrize("named", [None, "no-such", "cross-encoder-12"])
def test_a_store_without_the_one_teacher_meant_is_refused(
    named: str | None, rows: Rows, tiny_beir: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"name of cross-encoder-1 \(cross-encoder-1\), name of table-2 \(table-2\)"):
        load(write_store(tmp_path, rows), tiny_beir, teacher=named)


def test_a_pair_without_a_score_is_an_error_that_names_it(
    rows: Rows, texts: Texts, tiny_beir: Path, tmp_path: Path
) -> None:
    teacher = load(write_three(tmp_path, rows[2:]), tiny_beir)
    (query, document, _), (other, _, _) = rows[:2]
    known = [texts[one, two] for one, two, _ in rows]
    with pytest.raises(TeacherError, match=f"lacks 2 of them: query {query} with document {document}; query {other}"):
        teacher.score(known)
    with pytest.raises(TeacherError, match=r"lacks 1 of them.*'nobody asked this"):
        teacher.score([*known[2:], ("nobody asked this", known[2][1])])


def test_a_text_under_two_ids_gets_the_higher_score(tiny_beir: Path, tmp_path: Path) -> None:
    with (tiny_beir / "corpus.jsonl").open("a") as stream:
        for number in (1, 2):
            stream.write(json.dumps({"_id": f"twin{number}", "title": "", "text": "the same"}) + "\n")
    rows = [("q00", "twin1", 1.0), ("q00", "twin2", 3.0), ("q00", "d01", 2.0)]
    teacher = load(write_three(tmp_path, rows), tiny_beir)
    assert teacher.score([(datasets.load(tiny_beir).query_texts["q00"], "the same")]).tolist() == [3.0]


@pytest.mark.parametrize(("column", "row"), [("doc_id", ("q00", "no-such", 1.0)), ("query_id", ("q77", "d00", 1.0))])
def test_unknown_ids_are_refused_or_dropped(
    column: str, row: tuple[str, str, float], rows: Rows, texts: Texts, tiny_beir: Path, tmp_path: Path
) -> None:
    path = write_trec(tmp_path, [*rows, row])
    with pytest.raises(DataError, match=f"{column}s the data has\n.*1 that it lacks, as (no-such|q77)"):
        load(path, tiny_beir)
    teacher = load(path, tiny_beir, unknown_ids="drop")
    assert len(teacher.score(list(texts.values()))) == len(rows)
    with pytest.raises(DataError, match="every row was dropped"):
        load(write_three(tmp_path, [row]), tiny_beir, unknown_ids="drop")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no row"),
        ("q00 d00 nan\n", ":1: the score 'nan' is not finite"),
        ("q00 d00 1\nq00 d01 1 2.5\n", ":2: 4 columns, not 3"),
        ("q00 d00 high\n", ":1: the score 'high' is no number"),
        ("q00\td00\n", ":1: 2 columns"),
        ("q00 d00 1\nq00 d00 2\n", "twice, as query 'q00', document 'd00'"),
        ("q00 Q0 d00 1 inf tag\n", "not finite"),
    ],
)
def test_bad_rows_are_named_with_their_line(content: str, said: str, tiny_beir: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        load(path, tiny_beir)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_bad_parquet_is_refused(rows: Rows, tiny_beir: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    frame([("q00", "d00", float("nan"))]).write_parquet(path)
    with pytest.raises(DataError, match="1 rows with a score that is not finite"):
        load(path, tiny_beir)
    frame(rows).rename({"score": "rank"}).write_parquet(path)
    with pytest.raises(DataError, match="no column score"):
        load(path, tiny_beir)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"run\.parquet"):
        load(path, tiny_beir)
    with pytest.raises(DataError, match="no Parquet file"):
        load(tiny_beir, tiny_beir)


def test_real_runs_are_read_whole(real_data: Path) -> None:
    folder = real_data / "trec_dl19_pool"
    teacher = load(folder / "teacher" / "D_BERT_KD_TASB.tsv.gz", folder)
    dataset = datasets.load(folder)
    with gzip.open(folder / "teacher" / "D_BERT_KD_TASB.tsv.gz", "rt") as stream:
        run = [line.split() for line in stream]
    pairs = [(dataset.query_texts[query], dataset.contents[document]) for query, document, *_ in run]
    stored = np.array([score for *_, score in run], dtype=np.float32)
    assert np.array_equal(teacher.score(pairs), stored)

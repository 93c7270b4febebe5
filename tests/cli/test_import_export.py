"""The verbs `import` and `export`: the lines of the documentation, real runs, and mistakes that lose nothing."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill.stores.reader import ScoreStore
from tests.cli.conftest import Run

RUNS = {
    "BM25": (4300, 10.6067),
    "BM25_RM3": (4300, None),
    "D_BERT_KD_TASB": (4300, None),
    "SPLADE_P_P_ENSEMBLE_DISTIL": (4300, None),
    "OPEN_AI_ADA2": (4300, None),
    "REP_LLAMA": (8600, 0.872),
}
"""Teacher -> its rows, and the score of the first."""


@pytest.fixture
def run_file(tiny_beir: Path, tmp_path: Path) -> Path:
    """A TREC run of every train query with its positives and eight others."""
    path = tmp_path / "teacher.run"
    lines = []
    for line in (tiny_beir / "qrels" / "train.tsv").read_text().splitlines()[1:]:
        query_id, doc_id, _ = line.split("\t")
        lines.append((query_id, doc_id, 5.5))
    judged = {row[:2] for row in lines}
    for query_id in sorted({row[0] for row in lines}):
        others = [f"d{number:02d}" for number in range(40) if (query_id, f"d{number:02d}") not in judged]
        lines += [(query_id, doc_id, 1 - number / 8) for number, doc_id in enumerate(others[:8])]
    path.write_text("".join(f"{q} Q0 {d} {rank} {score} tag\n" for rank, (q, d, score) in enumerate(lines)))
    return path


@pytest.fixture
def labelled(rankdistill: Run, run_file: Path, tmp_path: Path) -> Path:
    """A store of ids with positives, from triples."""
    rows = [line.split() for line in run_file.read_text().splitlines()]
    positives, others = [row for row in rows if row[4] == "5.5"], [row for row in rows if row[4] != "5.5"]
    pairs = [(one, other) for one in positives for other in others if one[0] == other[0]]
    triples = tmp_path / "triples.tsv"
    triples.write_text("".join(f"{one[4]}\t{other[4]}\t{one[0]}\t{one[2]}\t{other[2]}\n" for one, other in pairs))
    words = ["--format", "hofstatter", "--input", triples, "--teacher-name", "T", "--out", tmp_path / "labelled"]
    assert rankdistill("import", *words)[0] == 0
    return tmp_path / "labelled"


def test_the_line_of_the_documentation_needs_no_data(rankdistill: Run, run_file: Path, tmp_path: Path) -> None:
    words = [
        "import",
        "--format",
        "trec-run",
        "--input",
        run_file,
        "--teacher-name",
        "NAME",
        "--out",
        tmp_path / "store",
    ]
    status, text = rankdistill(*words)
    assert status == 0
    assert "pairs of 12 queries from NAME" in text
    assert ScoreStore(tmp_path / "store").teacher("NAME")
    assert "held already" in rankdistill(*words)[1]
    assert "finished" in rankdistill("status", tmp_path / "store")[1]


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("sentence-transformers", "rows.parquet"),
        ("hofstatter", "rows.tsv"),
        ("flagembedding", "rows.jsonl"),
        ("tevatron", "rows.jsonl.gz"),
        ("lighton", "folder"),
    ],
)
def test_exports_of_a_store_of_ids_take_the_texts_from_the_data(
    rankdistill: Run,
    labelled: Path,
    tiny_beir: Path,
    tmp_path: Path,
    form: str,
    file: str,
) -> None:
    status, text = rankdistill(
        "export", "--format", form, "--store", labelled, "--data", tiny_beir, "--out", tmp_path / "out" / file
    )
    assert status == 0, text
    assert "queries: 12" in text
    assert (tmp_path / "out" / file).exists()


def test_a_student_trains_on_a_store_of_ids(
    rankdistill: Run,
    labelled: Path,
    tiny_beir: Path,
    tiny_encoder: str,
    tmp_path: Path,
) -> None:
    words = [
        "train",
        "--data",
        tiny_beir,
        "--store",
        labelled,
        "--student",
        tiny_encoder,
        "--out",
        tmp_path / "student",
    ]
    status, text = rankdistill(*words, "--steps", 2, "--batch-size", 4, "--no-check")
    assert status == 0, text


def test_files_without_scores_become_candidates_that_a_teacher_scores(
    rankdistill: Run,
    tiny_beir: Path,
    tiny_cross_encoder: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "hard.jsonl").write_text('{"qid": "q00", "pos": ["d00"], "neg": {"bm25": ["d01", "d02"]}}\n')
    words = ["--format", "msmarco-hard-negatives", "--input", tmp_path / "hard.jsonl", "--teacher-name", "hard"]
    status, text = rankdistill("import", *words, "--out", tmp_path / "no")
    assert (status, "--as candidates" in text) == (1, True)
    assert rankdistill("import", *words, "--as", "candidates", "--out", tmp_path / "candidates")[0] == 0
    status, text = rankdistill(
        "score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", tmp_path / "candidates",
        "--out", tmp_path / "store", "--backend", "torch",
    )  # fmt: skip
    assert status == 0, text
    assert ScoreStore(tmp_path / "store").count() == 3


def test_scoring_into_a_store_of_ids_is_refused(
    rankdistill: Run,
    run_file: Path,
    tiny_beir: Path,
    tiny_cross_encoder: str,
    tmp_path: Path,
) -> None:
    store, candidates = tmp_path / "store", tmp_path / "candidates"
    words = ["import", "--format", "trec-run", "--input", run_file, "--teacher-name", "T", "--out", store]
    assert rankdistill(*words)[0] == 0
    assert rankdistill("mine", "--data", tiny_beir, "--depth", 5, "--out", candidates)[0] == 0
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    status, text = rankdistill(
        "score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", candidates, "--out", store,
        "--backend", "torch",
    )  # fmt: skip
    assert status == 1
    assert "StoreError" in text
    assert "keyed by ids" in text
    assert before == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


@pytest.fixture
def scored(rankdistill: Run, tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path) -> Path:
    """A store of texts, as `score` makes it of every train query's BM25 candidates."""
    store, candidates = tmp_path / "scored", tmp_path / "candidates"
    assert rankdistill("mine", "--data", tiny_beir, "--depth", 20, "--out", candidates)[0] == 0
    status, text = rankdistill(
        "score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", candidates, "--out", store,
        "--backend", "torch",
    )  # fmt: skip
    assert status == 0, text
    return store


def test_a_run_goes_into_a_store_of_texts_without_the_data(
    rankdistill: Run, scored: Path, run_file: Path, tiny_beir: Path, tmp_path: Path
) -> None:
    """Its ids are those of the store's texts: the same bytes as with --data, which has them too."""
    words = ["import", "--format", "trec-run", "--input", run_file, "--teacher-name", "NAME"]
    status, text = rankdistill(*words, "--out", scored)
    assert status == 0, text
    store = ScoreStore(scored)
    assert len(store.teacher_ids) == 2
    shards = [path.read_bytes() for path in store.layout.shards(store.teacher("NAME"))]
    assert rankdistill(*words, "--data", tiny_beir, "--out", tmp_path / "other")[0] == 0
    other = ScoreStore(tmp_path / "other")
    assert shards == [path.read_bytes() for path in other.layout.shards(other.teacher("NAME"))]
    assert "held already" in rankdistill(*words, "--out", scored)[1]


def test_ids_that_the_store_has_no_text_of_are_named(rankdistill: Run, scored: Path, tmp_path: Path) -> None:
    run = tmp_path / "foreign.run"
    run.write_text("q00 Q0 d00 1 1.0 t\nq00 Q0 nowhere 2 0.5 t\nq99 Q0 d00 1 1.0 t\n")
    before = {path: path.read_bytes() for path in scored.rglob("*") if path.is_file()}
    words = ["import", "--format", "trec-run", "--input", run, "--teacher-name", "NAME", "--out", scored]
    status, text = rankdistill(*words)
    assert status == 1
    assert "foreign.run:2: unknown document 'nowhere' of the store's texts; --data gives a collection's" in text
    assert "foreign.run:3: unknown query 'q99' of the store's texts" in text
    assert before == {path: path.read_bytes() for path in scored.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("sentence-transformers", ".jsonl"), ("hofstatter", ".tsv"), ("rank-distillm", ".parquet"), ("lighton", "")],
)
def test_an_output_without_a_suffix_gets_the_first_one_of_the_format(
    rankdistill: Run, labelled: Path, tiny_beir: Path, tmp_path: Path, form: str, suffix: str
) -> None:
    words = ["export", "--format", form, "--store", labelled, "--data", tiny_beir, "--out"]
    status, text = rankdistill(*words, tmp_path / "out" / "FILE")
    assert status == 0, text
    written = tmp_path / "out" / f"FILE{suffix}"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [written.name]
    assert f"{form}: {written}" in text
    assert ("has no suffix" in text) == bool(suffix)
    if suffix:
        assert rankdistill(*words, tmp_path / f"named{suffix}")[0] == 0
        assert written.read_bytes() == (tmp_path / f"named{suffix}").read_bytes()
        assert rankdistill(*words, tmp_path / "out" / "FILE")[0] == 1, "what is there is kept"


def spoil(name: str, path: Path) -> None:
    """Write the named bad input."""
    if name == "unknown document":
        path.write_text("q00 Q0 d01 1 1.0 t\nq00 Q0 nowhere 2 0.5 t\n")
    elif name == "unknown query":
        path.write_text("q77 Q0 d01 1 1.0 t\n")
    elif name == "nan":
        path.write_text("q00 Q0 d01 1 nan t\n")
    elif name == "columns":
        path.write_text("q00 d01 1.0\n")
    elif name == "two scores":
        path.write_text("q00 Q0 d01 1 1.0 t\nq00 Q0 d01 2 0.5 t\n")
    elif name == "truncated parquet":
        pq.write_table(pa.table({"query_id": ["q"], "doc_id": ["d"], "score": [1.0]}), path)
        path.write_bytes(path.read_bytes()[:-9])
    elif name == "foreign schema":
        pq.write_table(pa.table({"question": ["q"], "passage": ["d"]}), path)
    elif name == "pickle":
        path.write_bytes(pickle.dumps({1: {2: 1.0}}))


@pytest.mark.parametrize(
    ("form", "name", "said"),
    [
        ("trec-run", "unknown document", "input:2: unknown document 'nowhere'"),
        ("trec-run", "unknown query", "input:1: unknown query 'q77'"),
        ("trec-run", "nan", "input:1: the score 'nan' is not finite"),
        ("trec-run", "columns", "input:1: 3 columns, not 6"),
        ("trec-run", "two scores", "input:2: query 'q00' and document 'd01' have the score 0.5, and 1 elsewhere"),
        ("trec-run", "absent", "there is none"),
        ("rank-distillm", "truncated parquet", "a readable Parquet file"),
        ("rank-distillm", "foreign schema", "input.parquet:1: missing 'query_id'"),
        ("ce-scores", "pickle", "--allow-pickle"),
        ("no-such-format", "nan", "hofstatter"),
    ],
)
def test_mistakes_are_explained_and_lose_nothing(
    rankdistill: Run,
    run_file: Path,
    tiny_beir: Path,
    tmp_path: Path,
    form: str,
    name: str,
    said: str,
) -> None:
    store = tmp_path / "store"
    words = ["import", "--data", tiny_beir, "--teacher-name"]
    assert rankdistill(*words, "first", "--format", "trec-run", "--input", run_file, "--out", store)[0] == 0
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    path = tmp_path / ("input.parquet" if form == "rank-distillm" else "input")
    spoil(name, path)
    status, text = rankdistill(*words, "second", "--format", form, "--input", path, "--out", store)
    assert status == 1
    assert said in text
    assert "Traceback" not in text
    assert before == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


@pytest.fixture
def imported(rankdistill: Run, run_file: Path, tmp_path: Path) -> Path:
    """A store of ids."""
    words = ["import", "--format", "trec-run", "--input", run_file, "--teacher-name", "T", "--out", tmp_path / "store"]
    assert rankdistill(*words)[0] == 0
    return tmp_path / "store"


def truncate_shard(store: Path) -> None:
    shard = next(store.rglob("part-*"))
    shard.write_bytes(shard.read_bytes()[:-30])


def remove_shard(store: Path) -> None:
    next(store.rglob("part-*")).unlink()


def replace_shard(store: Path) -> None:
    pq.write_table(pa.table({"other": [1]}), next(store.rglob("part-*")))


def age_manifest(store: Path) -> None:
    path = store / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


@pytest.mark.parametrize("spoil_store", [truncate_shard, remove_shard, replace_shard, age_manifest])
def test_damaged_stores_are_not_exported(
    rankdistill: Run,
    imported: Path,
    tmp_path: Path,
    spoil_store: Callable[[Path], None],
) -> None:
    spoil_store(imported)
    status, text = rankdistill("export", "--format", "disco", "--store", imported, "--out", tmp_path / "out.json")
    assert status == 1
    assert "Error" in text
    assert "Traceback" not in text
    assert not list(tmp_path.glob("*out.json"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "tevatron", "--out", "a.jsonl"], "--data"),
        (["--format", "hofstatter", "--out", "a.tsv"], "skipped_unlabelled_queries 12"),
        (["--format", "hofstatter", "--out", "a.doc"], ".tsv"),
        (["--format", "disco", "--out", "a.json", "--teacher", "nobody"], "one of the store's teachers"),
        (["--format", "disco", "--out", "a.json", "--source", "nobody"], "sources of the store's candidates: T"),
    ],
)
def test_exports_that_cannot_be_are_explained(
    rankdistill: Run,
    imported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    status, text = rankdistill("export", "--store", imported, *words)
    assert status == 1
    assert said in text
    assert not list((tmp_path / "work").iterdir())


def test_lenient_imports_report_what_they_leave_out(rankdistill: Run, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q Q0 d 1 1.0 t\nq Q0 e 2 nan t\n")
    words = ["import", "--format", "trec-run", "--input", tmp_path / "run", "--teacher-name", "T", "--lenient"]
    status, text = rankdistill(*words, "--out", tmp_path / "store")
    assert status == 0
    assert "left out 1 bad rows" in text
    assert "run:2: the score 'nan' is not finite" in text
    assert "1 pairs of 1 queries" in text


def test_six_real_runs_become_six_teachers(rankdistill: Run, real_data: Path, tmp_path: Path) -> None:
    data, store = real_data / "trec_dl19_pool", tmp_path / "store"
    for name in RUNS:
        status, text = rankdistill(
            "import", "--format", "run-tsv", "--input", data / "teacher" / f"{name}.tsv.gz", "--teacher-name", name,
            "--out", store, "--data", data, "--split", "test",
        )  # fmt: skip
        assert status == 0, text
    found = ScoreStore(store)
    for name, (rows, first) in RUNS.items():
        with gzip.open(data / "teacher" / f"{name}.tsv.gz", "rt") as stream:
            lines = [line.split("\t") for line in stream]
        scores = {(query_id, doc_id): score for query_id, doc_id, score in found.scores(name).iter_rows()}
        assert len(lines) == len(scores) == rows
        query_id, doc_id, _, score = lines[0]
        assert scores[query_id, doc_id] == pytest.approx(float(score))
        assert first is None or float(score) == first
    labelled = found.candidates().drop_nulls("label")
    assert labelled["label"].max() == 3

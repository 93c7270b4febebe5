"""Files as spreadsheets and other languages write them, through the verbs that a user types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill.data import load
from tests.cli.verb import Run

RUN = "q1 Q0 d1 1 5.5 t\nq1 Q0 d3 2 1.5 t\nq2 Q0 d2 1 3 t\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents, of which each query judges one."""
    root = tmp_path / "data"
    (root / "qrels").mkdir(parents=True)
    texts = {"d1": "red river in the north", "d2": "a violin of glass", "d3": "bread and river"}
    rows = [{"_id": key, "title": "", "text": text} for key, text in texts.items()]
    (root / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "queries.jsonl").write_text('{"_id": "q1", "text": "river north"}\n{"_id": "q2", "text": "violin"}\n')
    (root / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n")
    return root


def ndcg(out: Path) -> float:
    return float(json.loads((out / "results.json").read_text())["ndcg_at_10"])


def test_a_byte_order_mark_is_no_part_of_a_run_that_is_fused(rankdistill: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.trec").write_text(RUN)
    (tmp_path / "bom.trec").write_text(RUN, encoding="utf-8-sig")
    runs = f"{tmp_path / 'plain.trec'},{tmp_path / 'bom.trec'}"
    status, shown = rankdistill("fuse", "--runs", runs, "--data", folder, "--split", "test", "--out", tmp_path / "out")
    assert status == 0, shown
    assert ndcg(tmp_path / "out") == 1.0
    assert shown.count("1.0000 1.0000 1.0000 1.0000") == 3


def test_nor_of_qrels_that_are_converted(rankdistill: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bom.qrels").write_text("q1 0 d1 1\nq2 0 d2 1\n", encoding="utf-8-sig")
    status, shown = rankdistill("data", "trec-qrels", tmp_path / "bom.qrels", "--out", folder / "qrels" / "bom.tsv")
    assert status == 0, shown
    assert load(folder).qrels("bom") == {"q1": {"d1": 1}, "q2": {"d2": 1}}


def test_nor_of_a_table_of_scores(rankdistill: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bom.txt").write_text(RUN, encoding="utf-8-sig")
    (tmp_path / "table.yaml").write_text(
        f"kind: table\npath: {tmp_path / 'bom.txt'}\ndata: {folder}\nname: T\nscore_kind: logit\n", encoding="utf-8-sig"
    )
    mined = tmp_path / "mined"
    assert rankdistill("mine", "--data", folder, "--split", "test", "--depth", 1, "--out", mined)[0] == 0
    status, shown = rankdistill(
        *("score", "--teacher", tmp_path / "table.yaml", "--candidates", mined, "--data", folder),
        *("--out", tmp_path / "store"),
    )
    assert status == 0, shown


def published(hub: Path, *labels: str) -> Path:
    """A data set as it lies on the hub, whose two judgements have these labels."""
    hub.mkdir()
    split = "- config_name: {0}\n  data_files: [{{split: {1}, path: {2}.jsonl}}]\n"
    parts = [("default", "test", "qrels"), ("corpus", "corpus", "corpus"), ("queries", "queries", "queries")]
    (hub / "README.md").write_text("---\nconfigs:\n" + "".join(split.format(*part) for part in parts) + "---\n")
    (hub / "corpus.jsonl").write_text('{"_id":"d1","title":null,"text":"red river"}\n{"_id":"d2","text":"a violin"}\n')
    (hub / "queries.jsonl").write_text('{"_id":"q1","text":"river"}\n{"_id":"q2","text":"violin"}\n')
    row = '{{"query-id":"q1","corpus-id":"d1","score":{0}}}\n{{"query-id":"q2","corpus-id":"d2","score":{1}}}\n'
    (hub / "qrels.jsonl").write_text(row.format(*labels))
    return hub


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's cache in the test's own folder."""
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("cached")
def test_labels_of_the_hub_that_are_fractions_are_refused(rankdistill: Run, tmp_path: Path) -> None:
    hub = published(tmp_path / "hub", "0.9", "0.5")
    status, shown = rankdistill("data", "fetch", f"hf:{hub}", "--out", tmp_path / "fetched")
    assert status == 1
    assert "the score 0.9 is no integer" in shown
    assert not (tmp_path / "fetched" / "qrels").exists()


@pytest.mark.usefixtures("cached")
def test_labels_of_the_hub_that_are_whole_are_read_however_they_are_stored(rankdistill: Run, tmp_path: Path) -> None:
    hub = published(tmp_path / "whole", "1.0", "2.0")
    status, shown = rankdistill("data", "fetch", f"hf:{hub}", "--out", tmp_path / "fetched")
    assert status == 0, shown
    assert load(tmp_path / "fetched").qrels("test") == {"q1": {"d1": 1}, "q2": {"d2": 2}}


@pytest.mark.usefixtures("cached")
def test_ids_in_csv_files_of_the_hub_stay_as_they_are_written(rankdistill: Run, tmp_path: Path) -> None:
    hub = published(tmp_path / "tables", "1", "1")
    for name in ("qrels", "corpus", "queries"):
        (hub / f"{name}.jsonl").unlink()
    (hub / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: default\n  data_files: [{split: test, path: qrels.csv}]\n"
        "- config_name: corpus\n  data_files: [{split: corpus, path: corpus.csv}]\n"
        "- config_name: queries\n  data_files: [{split: queries, path: queries.csv}]\n---\n"
    )
    (hub / "corpus.csv").write_text("_id,title,text\n007,,red river\n7,,a violin\n", encoding="utf-8-sig")
    (hub / "queries.csv").write_text("_id,text\n01,river\n2,violin\n", encoding="utf-8-sig")
    (hub / "qrels.csv").write_text("query-id,corpus-id,score\n01,007,1\n2,7,2\n", encoding="utf-8-sig")
    status, shown = rankdistill("data", "fetch", f"hf:{hub}", "--out", tmp_path / "fetched")
    assert status == 0, shown
    assert load(tmp_path / "fetched").qrels("test") == {"01": {"007": 1}, "2": {"7": 2}}


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("corpus", "queries"),
    [
        (
            '{"_id":"1","title":null,"text":"red river"}\n{"_id":"2","title":"glass","text":"a violin"}\n',
            '{"_id":"7","text":"river"}\n{"_id":"8","text":"violin"}\n',
        ),
        (
            '{"_id":1,"title":"","text":"red river"}\n{"_id":2,"title":"glass","text":"a violin"}\n',
            '{"_id":7,"text":"river"}\n{"_id":8,"text":"violin"}\n',
        ),
    ],
)
def test_a_title_of_null_is_none_and_an_id_that_is_a_number_is_its_text(
    rankdistill: Run, folder: Path, tmp_path: Path, corpus: str, queries: str, lenient: bool
) -> None:
    (folder / "corpus.jsonl").write_text(corpus)
    (folder / "queries.jsonl").write_text(queries)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n7\t1\t1\n8\t2\t1\n")
    status, shown = rankdistill(
        *("evaluate", "--data", folder, "--split", "test", "--model", "bm25", "--out", tmp_path / "out"),
        *(["--lenient"] if lenient else []),
    )
    assert status == 0, shown
    assert ndcg(tmp_path / "out") == 1.0
    assert dict(load(folder).contents) == {"1": "red river", "2": "glass a violin"}


def test_a_table_is_not_embedded_line_by_line(rankdistill: Run, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("id,text\n1,red river\n")
    status, shown = rankdistill(
        "embed", "--texts", f"document={tmp_path / 'texts.csv'}", "--teacher", "none", "--out", tmp_path / "out"
    )
    assert status == 1
    assert "one text a line" in shown
    assert "Traceback" not in shown

"""Folders without judgements, and without queries: each verb asks for what it reads, and says what is lacking."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from rankdistill.data import Dataset, load
from rankdistill.mining import candidates
from rankdistill.stores.reader import ScoreStore
from tests.cli.verb import Run


@pytest.fixture
def log(tiny_beir: Path) -> Path:
    """The tiny collection without a judgement: a query log."""
    return shutil.copytree(tiny_beir, tiny_beir.parent / "log", ignore=shutil.ignore_patterns("qrels"))


@pytest.fixture
def documents(log: Path) -> Path:
    """Its documents alone."""
    return shutil.copytree(log, log.parent / "documents", ignore=shutil.ignore_patterns("queries.jsonl"))


@pytest.fixture
def judged_on_dev(tiny_beir: Path) -> Path:
    """The tiny collection with the judgements of dev alone; 18 of its 24 queries are unjudged."""
    return shutil.copytree(
        tiny_beir, tiny_beir.parent / "judged-on-dev", ignore=shutil.ignore_patterns("train.tsv", "test.tsv")
    )


@pytest.fixture
def token_table(tiny_encoder: str, tmp_path: Path) -> Path:
    """A student that learns at once: a random vector a token."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = SentenceTransformer(tiny_encoder, device="cpu").tokenizer.backend_tokenizer
    torch.manual_seed(0)
    table = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=32)], device="cpu")
    table.save(str(tmp_path / "table"), create_model_card=False)
    return tmp_path / "table"


def mined(folder: Path) -> pl.DataFrame:
    return pl.DataFrame(candidates.read(folder))


def test_documents_alone_are_indexed_embedded_trained_on_and_shown(
    rankdistill: Run, documents: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    status, said = rankdistill("data", "check", documents)
    assert (status, "40 documents" in said, "documents alone" in said) == (0, True, True)
    for words in (
        ["index", "--data", documents, "--backend", "bm25", "--out", tmp_path / "index"],
        ["embed", "--data", documents, "--teacher", tiny_encoder, "--out", tmp_path / "e", "--backend", "torch"],
        ["train", "--embeddings", tmp_path / "e", "--student", "static", "--out", tmp_path / "s", "--steps", 2],
    ):
        status, said = rankdistill(*words)
        assert status == 0, said
    gathered = json.loads((tmp_path / "e/manifest.json").read_text())["parameters"]["gathered"]
    assert {name: kept["kept"] for name, kept in gathered.items()} == {
        f"documents:{kind}": 40 for kind in ("titles", "sentences", "documents")
    }
    status, said = rankdistill("search", "--index", tmp_path / "index", "--query", "river", "--data", documents)
    assert (status, "the river is" in said) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine", "--out", "o"], "it has no queries.jsonl"),
        (["evaluate", "--split", "test", "--model", "bm25", "--out", "o"], "documents alone"),
        (
            ["import", "--format", "trec-run", "--input", "run", "--teacher-name", "t", "--out", "o"],
            "a collection with queries",
        ),
    ],
)
def test_what_reads_queries_says_that_there_are_none(
    rankdistill: Run, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").write_text("q00 Q0 d00 1 1.0 t\n")
    status, text = rankdistill(*words, "--data", documents)
    assert (status, said in text) == (1, True), text
    assert not Path("o").exists()


def test_a_query_log_is_mined_scored_imported_into_embedded_and_trained_on(
    rankdistill: Run, log: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    store, run = tmp_path / "store", tmp_path / "run"
    assert rankdistill("mine", "--data", log, "--depth", 8, "--out", tmp_path / "c")[0] == 0
    found = mined(tmp_path / "c")
    assert (found["query_id"].n_unique(), found["label"].null_count()) == (24, len(found))
    words = ["score", "--data", log, "--teacher", tiny_cross_encoder, "--candidates", tmp_path / "c", "--out", store]
    assert rankdistill(*words, "--backend", "torch")[0] == 0
    run.write_text("".join(f"{q} Q0 {d} 1 {n / 7} t\n" for n, (q, d) in enumerate(_pairs(found))))
    words = ["import", "--format", "trec-run", "--input", run, "--teacher-name", "run", "--out", tmp_path / "imported"]
    assert rankdistill(*words, "--data", log)[0] == 0
    assert ScoreStore(tmp_path / "imported").has_texts
    words = ["embed", "--data", log, "--teacher", tiny_encoder, "--out", tmp_path / "e", "--backend", "torch"]
    assert "log:queries: 24" in rankdistill(*words)[1]

    words = ["train", "--data", log, "--store", store, "--student", tiny_encoder, "--out", tmp_path / "student"]
    status, said = rankdistill(*words, "--steps", 2, "--no-check")
    assert (status, "--unlabelled top" in said, "unlabelled: top" in said) == (1, True, True)
    status, said = rankdistill(*words, "--steps", 2, "--no-check", "--unlabelled", "top")
    assert (status, "declared positives: 24" in said) == (0, True), said
    made = json.loads((tmp_path / "student/manifest.json").read_text())["parameters"]
    assert (made["split"], made["unlabelled"]) == ("unjudged", "top")


def _pairs(found: pl.DataFrame) -> list[tuple[str, str]]:
    return list(found.select("query_id", "doc_id").unique(maintain_order=True).iter_rows())


def test_queries_that_no_split_judges_train_a_student_that_dev_measures(
    rankdistill: Run, judged_on_dev: Path, token_table: Path, tmp_path: Path
) -> None:
    """The teacher knows the topics, so what the student learns without a label shows on the judged queries."""
    dataset = load(judged_on_dev)
    words = ["mine", "--data", judged_on_dev, "--depth", 40, "--out", tmp_path / "c"]
    status, said = rankdistill(*words)
    assert (status, "'unjudged' names the 18 queries" in said) == (1, True), said
    assert rankdistill(*words, "--split", "unjudged")[0] == 0
    found = mined(tmp_path / "c")
    assert set(found["query_id"]) == set(dataset.query_texts) - set(dataset.qrels("dev"))

    run, store = tmp_path / "run", tmp_path / "store"
    run.write_text("".join(f"{q} Q0 {d} 1 {_score(dataset, q, d)} t\n" for q in dataset.query_texts for d in _ids()))
    words = ["import", "--format", "trec-run", "--input", run, "--teacher-name", "topics", "--score-kind", "logit"]
    assert rankdistill(*words, "--data", judged_on_dev, "--out", store)[0] == 0
    words = ["train", "--data", judged_on_dev, "--store", store, "--student", token_table, "--unlabelled", "top"]
    words += ["--dev-split", "dev", "--steps", 60, "--batch-size", 8, "--learning-rate", 0.05, "--no-check"]
    status, said = rankdistill(*words, "--split", "unjudged", "--out", tmp_path / "student")
    assert status == 0, said
    assert "held out queries: 6" in said
    log = json.loads((tmp_path / "student/training_log.json").read_text())
    before, *after = [point["value"] for point in log["dev_ndcg_at_10"]]
    assert log["view"]["declared_positives"] == 18
    assert max(after) > before + 0.2


def _ids() -> list[str]:
    return [f"d{number:02d}" for number in range(40)]


def _score(dataset: Dataset, query_id: str, doc_id: str) -> float:
    """High where the document's topic is the query's, which is the last word but one of it."""
    same = dataset.contents[doc_id].startswith(dataset.query_texts[query_id].split()[-2])
    return 6.0 * same + int(doc_id[1:]) / 80


def test_some_judged_and_some_not_are_trained_on_together_and_the_held_out_stay_out(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    """A query of the log that says what a test query says is held out with it."""
    (said,) = [text for query_id, text in load(tiny_beir).query_texts.items() if query_id == "q20"]
    with (tiny_beir / "queries.jsonl").open("a") as file:
        for query_id, text in (("log1", "a small river"), ("log2", said.upper())):
            file.write(json.dumps({"_id": query_id, "text": text}) + "\n")
    store = tmp_path / "store"
    for split in ("train", "unjudged"):
        words = ["mine", "--data", tiny_beir, "--depth", 10, "--split", split, "--out", tmp_path / split]
        assert rankdistill(*words)[0] == 0
        words = ["--teacher", tiny_cross_encoder, "--candidates", tmp_path / split, "--out", store]
        assert rankdistill("score", "--data", tiny_beir, *words, "--backend", "torch")[0] == 0
    assert set(mined(tmp_path / "unjudged")["query_id"]) == {"log1", "log2"}
    words = ["train", "--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--steps", 1, "--no-check"]
    status, said = rankdistill(*words, "--unlabelled", "top", "--out", tmp_path / "both")
    assert (status, "declared positives: 1" in said, "held out queries: 1" in said) == (0, True, True), said
    status, said = rankdistill(*words, "--unlabelled", "top", "--split", "unjudged", "--out", tmp_path / "alone")
    assert (status, "held out queries: 13" in said, "rows: 1 " in said) == (0, True, True), said


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "--model", "bm25", "--out", "o"],
        ["teach", "--candidates", "c", "--base", "b", "--out", "o"],
    ],
)
def test_what_needs_judgements_says_so_of_unjudged_queries(
    rankdistill: Run, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = rankdistill(*words, "--data", log, "--split", "unjudged")
    assert (status, "without judgements nothing can be measured or taught" in said) == (1, True), said
    assert not Path("o").exists()


def test_the_candidates_of_a_log_are_mined_once_and_anew_when_a_split_takes_queries_out(
    rankdistill: Run, log: Path, tmp_path: Path
) -> None:
    words = ["mine", "--data", log, "--split", "unjudged", "--depth", 5, "--out", tmp_path / "c"]
    assert rankdistill(*words)[0] == 0
    made = json.loads((tmp_path / "c/manifest.json").read_text())
    assert made["parameters"]["split"] == "unjudged"
    assert "qrels" not in made["inputs"]
    assert "up to date" in rankdistill(*words)[1]
    (log / "qrels").mkdir()
    (log / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq20\td00\t1\n")
    status, said = rankdistill(*words)
    assert (status, "StaleOutputError" in said) == (1, True), said

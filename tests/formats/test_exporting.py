"""What exports hold: the columns that other tools take, positives by label, and nothing left out silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import files, manifest
from rankdistill.data import Dataset, load
from rankdistill.errors import ConfigError, DataError, OutputError, StaleOutputError, StoreError
from rankdistill.formats.content import Choice
from rankdistill.formats.exporting import export
from rankdistill.stores.reader import ScoreStore
from tests.formats.conftest import Import, Table, positives_of


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("negatives", "margins", "columns"),
    [
        (1, True, ["query", "positive", "negative", "label"]),
        (1, False, ["query", "positive", "negative", "label"]),
        (3, False, ["query", "positive", "negative_1", "negative_2", "negative_3", "label"]),
        (3, True, ["query", "positive", "negative_1", "negative_2", "negative_3", "label"]),
    ],
)
@pytest.mark.parametrize("file", ["rows.jsonl", "rows.parquet"])
def test_sentence_transformers_margin_mse_takes_the_rows_as_they_are(
    store: ScoreStore,
    dataset: Dataset,
    tiny_encoder: str,
    tmp_path: Path,
    negatives: int,
    margins: bool,
    columns: list[str],
    file: str,
) -> None:
    import datasets
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MarginMSELoss

    choice = Choice(negatives, margins=margins)
    export("sentence-transformers", store, tmp_path / file, dataset=dataset, choice=choice)
    kind = "parquet" if file.endswith("parquet") else "json"
    cache = str(tmp_path / "cache")
    rows = datasets.load_dataset(kind, data_files=str(tmp_path / file), split="train", cache_dir=cache)
    assert rows.column_names == columns

    model = SentenceTransformer(tiny_encoder, device="cpu")
    batch = rows[:4]
    features = [model.preprocess(batch[name]) for name in columns[:-1]]
    loss = MarginMSELoss(model)(features, torch.tensor(batch["label"]))
    with torch.no_grad():
        vectors = [torch.tensor(model.encode(batch[name])) for name in columns[:-1]]
        student = torch.stack([(vectors[0] * (vectors[1] - one)).sum(1) for one in vectors[2:]], 1)
    labels = torch.tensor(batch["label"]).reshape(4, -1)
    teacher = labels if margins else labels[:, :1] - labels[:, 1:]
    assert loss.item() == pytest.approx(((student - teacher) ** 2).mean().item(), rel=1e-4)


def test_the_trainer_collates_the_rows(store: ScoreStore, dataset: Dataset, tiny_encoder: str, tmp_path: Path) -> None:
    import datasets
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MarginMSELoss

    export("sentence-transformers", store, tmp_path / "rows.jsonl", dataset=dataset)
    rows = datasets.Dataset.from_list(read_lines(tmp_path / "rows.jsonl"))
    model = SentenceTransformer(tiny_encoder, device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path / "run"), max_steps=2, per_device_train_batch_size=4, report_to="none", save_strategy="no",
        use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(model, arguments, train_dataset=rows, loss=MarginMSELoss(model))
    assert trainer.train().training_loss > 0


def test_the_positive_is_the_labelled_one_though_others_score_higher(
    store: ScoreStore, dataset: Dataset, table: Table, tmp_path: Path
) -> None:
    export("hofstatter", store, tmp_path / "rows.tsv")
    rows = [line.split("\t") for line in (tmp_path / "rows.tsv").read_text().splitlines()]
    assert {(row[2], row[3]) for row in rows} == positives_of(store)
    assert not {(row[2], row[4]) for row in rows} & positives_of(store)
    assert any(float(row[0]) < float(row[1]) for row in rows)
    for positive_score, negative_score, query_id, positive, negative in rows:
        assert np.float32(positive_score) == np.float32(table[query_id, positive])
        assert np.float32(negative_score) == np.float32(table[query_id, negative])


def test_tevatron_has_its_fields_and_titles(store: ScoreStore, dataset: Dataset, table: Table, tmp_path: Path) -> None:
    export("tevatron", store, tmp_path / "rows.jsonl", dataset=dataset)
    documents = {document.doc_id: document for document in dataset.documents()}
    for row in read_lines(tmp_path / "rows.jsonl"):
        assert list(row) == ["query_id", "query", "positive_passages", "negative_passages"]
        assert row["query"] == dataset.query_texts[row["query_id"]]
        for passage in row["positive_passages"] + row["negative_passages"]:
            document = documents[passage["docid"]]
            score = passage["score"]
            assert np.float32(score) == np.float32(table[row["query_id"], document.doc_id])
            assert passage == {"docid": document.doc_id, "title": document.title, "text": document.text, "score": score}


def test_flagembedding_has_as_many_scores_as_texts(store: ScoreStore, dataset: Dataset, tmp_path: Path) -> None:
    export("flagembedding", store, tmp_path / "rows.jsonl", dataset=dataset)
    for row in read_lines(tmp_path / "rows.jsonl"):
        assert list(row) == ["query", "pos", "neg", "pos_scores", "neg_scores"]
        assert len(row["pos"]) == len(row["pos_scores"]) > 0
        assert len(row["neg"]) == len(row["neg_scores"]) == 8


def test_the_hardest_negatives_come_first_and_random_ones_depend_on_the_seed(store: ScoreStore, tmp_path: Path) -> None:
    def negatives(choice: Choice, file: str) -> dict[tuple[str, str], list[float]]:
        found: dict[tuple[str, str], list[float]] = {}
        export("hofstatter", store, tmp_path / file, choice=choice)
        for line in (tmp_path / file).read_text().splitlines():
            _, score, query_id, positive, _ = line.split("\t")
            found.setdefault((query_id, positive), []).append(float(score))
        return found

    every, hardest = negatives(Choice(), "every.tsv"), negatives(Choice(3), "hardest.tsv")
    assert all(scores == every[row][:3] == sorted(scores, reverse=True) for row, scores in hardest.items())
    one, again = (negatives(Choice(3, "random", 1), f"{name}.tsv") for name in ("one", "again"))
    assert one == again != negatives(Choice(3, "random", 2), "two.tsv")
    assert one != hardest


def test_rows_with_few_negatives_and_queries_without_label_are_counted(
    imported: Import, dataset: Dataset, tmp_path: Path
) -> None:
    first, *others = dataset.qrels("train").items()
    query_id, positive = first[0], next(iter(first[1]))
    other, other_positive = others[0][0], next(iter(others[0][1]))
    rows = [(query_id, positive), *((query_id, f"d{number}") for number in (38, 39) if f"d{number}" not in first[1])]
    rows += [(other, other_positive), ("q23", "d00")]
    (tmp_path / "run.tsv").write_text("".join(f"{q} {d} 1 {number}\n" for number, (q, d) in enumerate(rows)))
    store = imported("run-tsv", tmp_path / "run.tsv", dataset=dataset, split="train")
    report = export("sentence-transformers", store, tmp_path / "out.jsonl", dataset=dataset, choice=Choice(1))
    assert (report.rows, report.skipped_rows_with_few_negatives, report.skipped_unlabelled_queries) == (1, 1, 1)
    with pytest.raises(DataError, match="skipped_rows_with_few_negatives 2"):
        export("sentence-transformers", store, tmp_path / "none.jsonl", choice=Choice(30))
    assert not (tmp_path / "none.jsonl").exists()


@pytest.fixture
def two_teachers(imported: Import, run_file: Path, tmp_path: Path) -> ScoreStore:
    """Teacher B scores one of A's documents and one of its own."""
    imported("run-tsv", run_file, name="A")
    query_id, doc_id, *_ = run_file.read_text().split()
    (tmp_path / "b.tsv").write_text(f"{query_id} {doc_id} 1 1.0\n{query_id} elsewhere 2 0.5\n")
    return imported("run-tsv", tmp_path / "b.tsv", name="B")


def test_a_missing_score_stops_the_export_unless_told(two_teachers: ScoreStore, table: Table, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="document 'elsewhere'"):
        export("disco", two_teachers, tmp_path / "a.json", teacher="A")
    assert not list(tmp_path.glob("*.json"))
    report = export("disco", two_teachers, tmp_path / "a.json", teacher="A", missing="drop")
    assert report.dropped_pairs_without_score == 1
    report = export("disco", two_teachers, tmp_path / "b.json", teacher="A", sources=["A"])
    assert report.dropped_pairs_without_score == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    with pytest.raises(ConfigError, match="A, B"):
        export("disco", two_teachers, tmp_path / "c.json", teacher="A", sources=["C"])


def test_the_teacher_must_be_named_among_several(two_teachers: ScoreStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no choice among several"):
        export("disco", two_teachers, tmp_path / "a.json")


def test_texts_come_from_the_store_without_a_collection(store: ScoreStore, dataset: Dataset, tmp_path: Path) -> None:
    export("flagembedding", store, tmp_path / "own.jsonl")
    export("flagembedding", store, tmp_path / "given.jsonl", dataset=dataset)
    assert (tmp_path / "own.jsonl").read_bytes() == (tmp_path / "given.jsonl").read_bytes()


def test_ids_alone_need_a_collection_for_texts(
    imported: Import, run_file: Path, dataset: Dataset, tmp_path: Path
) -> None:
    store = imported("run-tsv", run_file)
    with pytest.raises(StoreError, match="--data"):
        export("opensearch", store, tmp_path / "a.jsonl")
    export("opensearch", store, tmp_path / "a.jsonl", dataset=dataset)
    assert len(read_lines(tmp_path / "a.jsonl")) == 12


def test_a_collection_that_changed_is_refused(store: ScoreStore, tiny_beir: Path, tmp_path: Path) -> None:
    corpus = tiny_beir / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("the river is", "the stream is"))
    with pytest.raises(StaleOutputError, match="another text"):
        export("opensearch", store, tmp_path / "a.jsonl", dataset=load(tiny_beir))


def test_what_is_there_is_kept(store: ScoreStore, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("mine")
    with pytest.raises(OutputError, match="does not exist"):
        export("hofstatter", store, tmp_path / "a.tsv")
    assert (tmp_path / "a.tsv").read_text() == "mine"


def test_a_suffix_that_says_nothing_is_refused(store: ScoreStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.jsonl"):
        export("colbert", store, tmp_path / "a.docx")


def test_folders_say_what_made_them(store: ScoreStore, dataset: Dataset, tmp_path: Path) -> None:
    export("lighton", store, tmp_path / "out", dataset=dataset, command="the words")
    made = manifest.expect(tmp_path / "out", "export", "export")
    assert made.inputs == {"scores": store.identity}
    assert made.command == "the words"


def test_a_failed_export_leaves_nothing(store: ScoreStore, dataset: Dataset, tiny_beir: Path, tmp_path: Path) -> None:
    corpus = tiny_beir / "corpus.jsonl"
    lines = corpus.read_text().splitlines(keepends=True)
    scored = sorted({doc_id for doc_id in store.candidates()["doc_id"]})[-1]
    corpus.write_text("".join(line for line in lines if f'"{scored}"' not in line))
    for name, file in (("lighton", "folder"), ("opensearch", "a.jsonl")):
        with pytest.raises(DataError, match=scored):
            export(name, store, tmp_path / "out" / file, dataset=load(tiny_beir, "lenient"))
    assert not list((tmp_path / "out").rglob("*"))
    assert not list(tmp_path.rglob(f"{files.TEMPORARY_PREFIX}*"))


def test_ids_with_spaces_do_not_break_rows_of_columns(imported: Import, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a query": {"one document": 1.0}}')
    store = imported("disco", tmp_path / "a.json")
    with pytest.raises(DataError, match="without white space"):
        export("trec-run", store, tmp_path / "out.run")
    assert not (tmp_path / "out.run").exists()


def test_pickles_take_whole_numbers_only(store: ScoreStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="whole numbers as ids"):
        export("ce-scores", store, tmp_path / "out.pkl")

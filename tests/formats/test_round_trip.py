"""Each format written from a store and read back: the same scores, or exactly the loss that docs/formats.md states."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from rankdistill.data import Dataset
from rankdistill.formats.content import Choice
from rankdistill.formats.exporting import export
from rankdistill.formats.importing import Request, import_candidates
from rankdistill.formats.registry import FORMATS
from rankdistill.mining import candidates as mined
from rankdistill.stores.reader import ScoreStore
from tests.formats.conftest import Import, Table, positives_of, scores_of

EVERY = 100
"""More negatives than there are."""

IDS = {
    "hofstatter": "out.tsv.gz",
    "msmarco-hard-negatives": "out.jsonl.gz",
    "disco": "out.json",
    "colbert": "out.jsonl",
    "rank-distillm": "out.parquet",
    "trec-run": "out.run",
    "run-tsv": "out.tsv",
}
TEXTS = {
    "flagembedding": "out.jsonl",
    "opensearch": "out.parquet",
    "tevatron": "out.jsonl.gz",
    "lighton": "out",
}
MARGINS = {"gpl": "out.tsv", "sentence-transformers/msmarco": "out"}
LABELS = {"hofstatter", "msmarco-hard-negatives", "flagembedding", "tevatron"} | MARGINS.keys()


@pytest.mark.parametrize(("name", "file"), (IDS | TEXTS).items())
def test_scores_come_back_exactly(
    store: ScoreStore, dataset: Dataset, table: Table, imported: Import, tmp_path: Path, name: str, file: str
) -> None:
    export(name, store, tmp_path / "out" / file, dataset=dataset)
    back = imported(name, tmp_path / "out" / file, dataset=dataset if name in TEXTS else None)
    assert scores_of(back) == table
    assert back.has_texts == (name in TEXTS)
    if name in LABELS:
        assert positives_of(back) == positives_of(store)


@pytest.mark.parametrize(("name", "file"), TEXTS.items())
def test_texts_come_back_without_a_collection(
    store: ScoreStore, dataset: Dataset, table: Table, imported: Import, tmp_path: Path, name: str, file: str
) -> None:
    export(name, store, tmp_path / "out" / file, dataset=dataset)
    back = imported(name, tmp_path / "out" / file)

    def by_text(one: ScoreStore) -> dict[tuple[str, str], float]:
        queries, documents = one.query_texts(), one.document_texts()
        return {(queries[query_id], documents[doc_id]): score for (query_id, doc_id), score in scores_of(one).items()}

    assert by_text(back) == by_text(store)


@pytest.mark.parametrize(("name", "file"), MARGINS.items())
def test_margins_come_back_up_to_a_shift_of_each_query(
    store: ScoreStore, dataset: Dataset, table: Table, imported: Import, tmp_path: Path, name: str, file: str
) -> None:
    export(name, store, tmp_path / "out" / file, dataset=dataset)
    back = imported(name, tmp_path / "out" / file, dataset=dataset)
    found = scores_of(back)
    assert found.keys() == table.keys()
    assert positives_of(back) == positives_of(store)
    shifts = defaultdict(set)
    for (query_id, doc_id), score in found.items():
        shifts[query_id].add(round(table[query_id, doc_id] - score, 3))
    assert all(max(shift) - min(shift) < 2e-3 for shift in shifts.values())
    assert all(0.0 in {score for (one, _), score in found.items() if one == query_id} for query_id in shifts)


@pytest.mark.parametrize("margins", [False, True])
@pytest.mark.parametrize("negatives", [1, 4, 8])
@pytest.mark.parametrize("file", ["out.jsonl", "out.parquet"])
def test_sentence_transformers_rows_come_back(
    store: ScoreStore,
    dataset: Dataset,
    table: Table,
    imported: Import,
    tmp_path: Path,
    negatives: int,
    margins: bool,
    file: str,
) -> None:
    choice = Choice(negatives, margins=margins)
    export("sentence-transformers", store, tmp_path / file, dataset=dataset, choice=choice)
    back = imported("sentence-transformers", tmp_path / file, dataset=dataset)
    assert positives_of(back) == positives_of(store)
    found = scores_of(back)
    if not margins:
        assert all(table[pair] == score for pair, score in found.items())
        return
    for query_id, positive in positives_of(store):
        for pair in found:
            if pair[0] == query_id:
                expected = table[query_id, positive] - table[pair]
                assert found[query_id, positive] - found[pair] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(("name", "file"), [("trec-qrels", "out.txt"), ("beir", "out")])
def test_labels_come_back_as_candidates(
    store: ScoreStore, dataset: Dataset, tmp_path: Path, name: str, file: str
) -> None:
    export(name, store, tmp_path / "out" / file, dataset=dataset)
    import_candidates(Request(name, [tmp_path / "out" / file], "labels"), tmp_path / "candidates")
    rows = mined.read(tmp_path / "candidates").to_pylist()
    assert {(row["query_id"], row["doc_id"]) for row in rows if row["label"] > 0} == positives_of(store)
    assert {row["source"] for row in rows} == {"labels"}


def test_pickled_scores_come_back(run_file: Path, imported: Import, table: Table, tmp_path: Path) -> None:
    numbered = {
        (query_id[1:].lstrip("0") or "0", doc_id[1:].lstrip("0") or "0"): s for (query_id, doc_id), s in table.items()
    }
    lines = [f"{query_id} {doc_id} 1 {score!r}\n" for (query_id, doc_id), score in numbered.items()]
    run_file.write_text("".join(lines))
    first = imported("run-tsv", run_file, store="numbers")
    export("ce-scores", first, tmp_path / "scores.pkl.gz")
    back = imported("ce-scores", tmp_path / "scores.pkl.gz", allow_pickle=True)
    assert scores_of(back) == numbered


def test_every_format_is_tested_here() -> None:
    assert FORMATS.keys() == {
        *IDS, *TEXTS, *MARGINS, "sentence-transformers", "trec-qrels", "beir", "ce-scores"
    }  # fmt: skip


@pytest.mark.parametrize(("name", "file"), (IDS | TEXTS | MARGINS | {"sentence-transformers": "out.jsonl"}).items())
def test_equal_stores_give_equal_bytes(
    store: ScoreStore, dataset: Dataset, tmp_path: Path, name: str, file: str
) -> None:
    for place in ("one", "two"):
        export(name, store, tmp_path / place / file, dataset=dataset)
    one, two = (
        {
            path.relative_to(tmp_path / place): path.read_bytes()
            for path in (tmp_path / place).rglob("*")
            if path.is_file()
        }
        for place in ("one", "two")
    )
    assert one == two
    assert one

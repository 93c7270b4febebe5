"""A store of known scores over the tiny collection, and a way to import and to look at what came in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import Dataset, load
from rankdistill.formats.importing import Imported, Request, import_scores
from rankdistill.stores.reader import ScoreStore

Table = dict[tuple[str, str], float]
"""(query id, document id) -> score."""

Import = Callable[..., ScoreStore]


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return load(tiny_beir)


@pytest.fixture
def table(dataset: Dataset) -> Table:
    """Every train query with its positives and eight other documents; scores that need all digits of a float32."""
    generator = np.random.default_rng(4)
    found: Table = {}
    for query_id, labels in dataset.qrels("train").items():
        others = [doc_id for doc_id in dataset.doc_ids if doc_id not in labels]
        for doc_id in [*labels, *generator.choice(others, 8, replace=False)]:
            found[query_id, str(doc_id)] = float(np.float32(generator.normal() * 7))
    return found


@pytest.fixture
def run_file(table: Table, tmp_path: Path) -> Path:
    """The table as a run, shuffled."""
    path = tmp_path / "teacher.tsv"
    lines = [f"{query_id}\t{doc_id}\t1\t{np.float32(score)}" for (query_id, doc_id), score in table.items()]
    path.write_text("\n".join(np.random.default_rng(9).permutation(lines)) + "\n")
    return path


@pytest.fixture
def run_import(tmp_path: Path) -> Callable[..., Imported]:
    """Imports files into the named store."""

    def run(format_name: str, *inputs: Path, store: str = "imported", name: str = "T", **choices: object) -> Imported:
        request = Request(format_name, inputs, name, **choices)  # type: ignore[arg-type]
        return import_scores(request, tmp_path / store)

    return run


@pytest.fixture
def imported(run_import: Callable[..., Imported], tmp_path: Path) -> Import:
    """Imports files into the named store and opens it."""

    def run(format_name: str, *inputs: Path, store: str = "imported", name: str = "T", **choices: object) -> ScoreStore:
        run_import(format_name, *inputs, store=store, name=name, **choices)
        return ScoreStore(tmp_path / store)

    return run


@pytest.fixture
def store(imported: Import, run_file: Path, dataset: Dataset) -> ScoreStore:
    """The table in a store with texts and labels."""
    return imported("run-tsv", run_file, store="store", name="teacher", dataset=dataset, split="train")


def scores_of(store: ScoreStore, teacher: str | None = None) -> Table:
    """What a store holds."""
    return {(query_id, doc_id): score for query_id, doc_id, score in store.scores(teacher).iter_rows()}


def positives_of(store: ScoreStore) -> set[tuple[str, str]]:
    """The pairs that a store's candidates call relevant."""
    rows = store.candidates().select("query_id", "doc_id", "label").iter_rows()
    return {(query_id, doc_id) for query_id, doc_id, label in rows if label is not None and label > 0}

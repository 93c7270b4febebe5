"""What a taught teacher is compared with: the figures against numpy, each kind of base, and what the notes say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sentence_transformers import CrossEncoder

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import DataError, ModelReferenceError
from rankdistill.mining import candidates as mined
from rankdistill.mining.bm25 import Bm25
from rankdistill.mining.sources import named
from rankdistill.models import resolve
from rankdistill.teachers import load, registry
from rankdistill.teachers.teach import Dev, teach
from rankdistill.teachers.teaching import beside
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.teachers.teaching.training_log import LOG_FILE

LIMIT = 5


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return data.load(tiny_beir)


@pytest.fixture
def folder(dataset: Dataset, tiny_encoder: str, tmp_path: Path) -> Path:
    """Dev candidates of two sources; some positives are retrieved by one of them, some by none."""
    sources = [named("bm25", None, None), named(f"dense:{tiny_encoder}", None, None)]
    mined.build(tmp_path / "dev", dataset, "dev", sources, 5)
    return tmp_path / "dev"


def ndcg(relevant: list[bool]) -> float:
    """Of a ranking with binary gains whose positives are all in it."""
    discount = 1 / np.log2(np.arange(2, len(relevant) + 2))
    discount[10:] = 0
    ideal = float((np.sort(relevant)[::-1] * discount).sum())
    return float((np.asarray(relevant) * discount).sum()) / ideal if ideal else 0.0


def ranking(dataset: Dataset, folder: Path) -> dict[str, list[str]]:
    """Query -> its retrieved documents, for the first queries by id."""
    found = pl.DataFrame(mined.read(folder)).filter(pl.col("rank").is_not_null())
    ids = sorted(found["query_id"].unique())[:LIMIT]
    return {query_id: sorted(found.filter(pl.col("query_id") == query_id)["doc_id"].unique()) for query_id in ids}


def expected(dataset: Dataset, folder: Path, score: dict[tuple[str, str], float]) -> float:
    qrels, values = dataset.qrels("dev"), []
    for query_id, doc_ids in ranking(dataset, folder).items():
        ordered = sorted(doc_ids, key=lambda doc_id: -score[query_id, doc_id])
        values.append(ndcg([qrels[query_id].get(doc_id, 0) > 0 for doc_id in ordered]))
    return float(np.mean(values))


def scores_of(dataset: Dataset, folder: Path, model: str, kind: str) -> dict[tuple[str, str], float]:
    pairs = [(query_id, doc_id) for query_id, doc_ids in ranking(dataset, folder).items() for doc_id in doc_ids]
    texts = [(dataset.query_texts[query_id], dataset.contents[doc_id]) for query_id, doc_id in pairs]
    return dict(zip(pairs, load(model, kind, backend="torch").score(texts).tolist(), strict=True))


def measured(dataset: Dataset, folder: Path, teacher: str, base: str) -> dict:
    model = CrossEncoder(teacher, device="cpu")
    return beside.measure(model, dataset, "dev", pl.DataFrame(mined.read(folder)), LIMIT, resolve(base))


@pytest.mark.parametrize(
    ("base", "kind", "called"),
    [
        ("tiny_encoder", "embedding", "an encoder"),
        ("tiny_cross_encoder", "cross_encoder", "a cross-encoder"),
        ("tiny_bert", "embedding", "an encoder with mean pooling, untrained"),
        ("tiny_splade", "embedding", "an encoder with mean pooling, untrained"),
        ("tiny_multi_vector", "multi_vector", "a multi-vector encoder"),
    ],
)
def test_teacher_and_base_rank_the_same_documents_as_the_models_that_they_are(
    dataset: Dataset,
    folder: Path,
    tiny_cross_encoder: str,
    request: pytest.FixtureRequest,
    base: str,
    kind: str,
    called: str,
) -> None:
    reference = str(request.getfixturevalue(base))
    found = measured(dataset, folder, tiny_cross_encoder, reference)
    assert (found["split"], found["queries"]) == ("dev", LIMIT)
    taught = scores_of(dataset, folder, tiny_cross_encoder, "cross_encoder")
    assert found["teacher"] == pytest.approx(expected(dataset, folder, taught))
    assert found["base"]["as"] == called
    assert found["base"]["value"] == pytest.approx(
        expected(dataset, folder, scores_of(dataset, folder, reference, kind))
    )


def test_each_source_keeps_its_own_order_and_puts_last_what_it_did_not_retrieve(
    dataset: Dataset, folder: Path, tiny_cross_encoder: str
) -> None:
    found = measured(dataset, folder, tiny_cross_encoder, tiny_cross_encoder)
    table = pl.DataFrame(mined.read(folder)).filter(pl.col("rank").is_not_null())
    qrels = dataset.qrels("dev")
    assert set(found["sources"]) == {"bm25", "dense"}
    for name, value in found["sources"].items():
        least, most = [], []
        for query_id, doc_ids in ranking(dataset, folder).items():
            own = table.filter((pl.col("source") == name) & (pl.col("query_id") == query_id)).sort("rank")["doc_id"]
            rest = sorted(set(doc_ids) - set(own), key=lambda doc_id: qrels[query_id].get(doc_id, 0))
            for order, values in ((rest, least), (rest[::-1], most)):
                values.append(ndcg([qrels[query_id].get(doc_id, 0) > 0 for doc_id in [*own, *order]]))
        assert np.mean(least) - 1e-9 <= value <= np.mean(most) + 1e-9


def test_the_log_of_a_taught_teacher_ends_with_it(
    dataset: Dataset, folder: Path, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    """A cross-encoder to start from ranks as the teacher does before its first step, and the end as the last step."""
    mined.build(tmp_path / "train", dataset, "train", [named("bm25", None, None)], 12)
    config = TeachConfig(negatives=3, steps=4, batch_size=4, learning_rate=2e-3, bf16=False, evaluations=4)
    dev = Dev("dev", folder)
    teach(dataset, "train", tmp_path / "train", tiny_cross_encoder, tmp_path / "teacher", config, dev=dev)
    log = json.loads((tmp_path / "teacher" / LOG_FILE).read_text())
    curve = [point["value"] for point in log["dev_ndcg@10"]]
    assert log["dev_beside"]["base"]["value"] == pytest.approx(curve[0])
    assert log["dev_beside"]["teacher"] == pytest.approx(curve[-1])
    teach(dataset, "train", tmp_path / "train", tiny_cross_encoder, tmp_path / "without", config)
    assert "dev_beside" not in json.loads((tmp_path / "without" / LOG_FILE).read_text())


def test_a_base_that_cannot_be_measured_costs_no_teacher(
    dataset: Dataset, folder: Path, tiny_cross_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(spec: registry.TeacherSpec) -> None:
        raise ModelReferenceError(expected="a", got="weights of another size", consequence="c", remedy="d")

    monkeypatch.setattr(registry.TeacherSpec, "load", fail)
    found = measured(dataset, folder, tiny_cross_encoder, tiny_cross_encoder)
    assert found["base"] == {"as": "a cross-encoder", "not_measured": "weights of another size"}
    assert 0 < found["teacher"] < 1
    assert "not measured as a cross-encoder: weights of another size" in beside.notes({"dev_beside": found})[0]


def test_bm25_is_measured_where_it_is_no_source(
    dataset: Dataset, folder: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    """Over the same documents; as a source its order of them is the same, since BM25 finds all that share a word."""
    mined.build(tmp_path / "dense", dataset, "dev", [named(f"dense:{tiny_encoder}", None, None)], 5)
    found = measured(dataset, tmp_path / "dense", tiny_cross_encoder, tiny_cross_encoder)
    assert set(found["sources"]) == {"bm25", "dense"}
    index, values = Bm25(dataset.contents), []
    for query_id, doc_ids in ranking(dataset, tmp_path / "dense").items():
        ids = index.retrieve([dataset.query_texts[query_id]], len(dataset.doc_ids))[0][0]
        place = {doc_id: ids.index(doc_id) if doc_id in ids else len(ids) for doc_id in doc_ids}
        labels = dataset.qrels("dev")[query_id]
        table = pl.DataFrame(mined.read(tmp_path / "dense")).filter(pl.col("query_id") == query_id)
        in_order = table.filter(pl.col("rank").is_not_null()).sort("rank")["doc_id"].to_list()
        ordered = sorted(doc_ids, key=lambda doc_id: (place[doc_id], in_order.index(doc_id)))
        values.append(ndcg([labels.get(doc_id, 0) > 0 for doc_id in ordered]))
    assert found["sources"]["bm25"] == pytest.approx(np.mean(values))


@pytest.mark.parametrize("fault", ["another split", "no relevant one"])
def test_dev_candidates_that_nothing_can_be_measured_on_are_refused_before_teaching(
    dataset: Dataset, tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path, fault: str
) -> None:
    mined.build(tmp_path / "train", dataset, "train", [named("bm25", None, None)], 12)
    candidates, says = tmp_path / "train", r"train: no query of that split[\s\S]*mine --split dev"
    if fault == "no relevant one":
        unjudged = tiny_beir / "qrels" / "dev.tsv"
        lines = unjudged.read_text().splitlines()
        unjudged.write_text("\n".join([lines[0], *(line.rsplit("\t", 1)[0] + "\t0" for line in lines[1:])]) + "\n")
        dataset = data.load(tiny_beir)
        mined.build(tmp_path / "dev", dataset, "dev", [named("bm25", None, None)], 5)
        candidates, says = tmp_path / "dev", r"dev: no relevant document for any of 5[\s\S]*mine deeper"
    config, told = TeachConfig(negatives=3, steps=4, batch_size=4, bf16=False, dev_queries=5), list[int]()
    with pytest.raises(DataError, match=says):
        teach(
            dataset,
            "train",
            tmp_path / "train",
            tiny_cross_encoder,
            tmp_path / "teacher",
            config,
            dev=Dev("dev", candidates),
            progress=told.append,
        )
    assert told == []
    assert not (tmp_path / "teacher" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("teacher", "worse"), [(0.7, []), (0.55, ["bm25"]), (0.4, ["bm25", "the base as an encoder"]), (0.6, [])]
)
def test_the_table_and_the_sentence_name_what_is_better(teacher: float, worse: list[str]) -> None:
    found = {"split": "dev", "queries": 1234, "teacher": teacher, "sources": {"bm25": 0.6}}
    log = {"dev_beside": found | {"base": {"as": "an encoder", "value": 0.5}}}
    (table,) = beside.table(log)
    assert table.title == "dev: 1,234 queries, each ranking their candidates"
    assert list(table.rows) == [
        ["the taught teacher", f"{teacher:.4f}", ""],
        ["bm25", "0.6000", f"{teacher - 0.6:+.4f}"],
        ["the base as an encoder", "0.5000", f"{teacher - 0.5:+.4f}"],
    ]
    (line,) = beside.verdict(log)
    shown = " and ".join(f"{name} ({value})" for name, value in zip(worse, ("0.6000", "0.5000"), strict=False))
    assert line.endswith(f"worse than {shown}." if worse else "the best of that is bm25 (0.6000).")
    assert beside.better(log) == worse
    assert beside.notes(log) == []
    assert beside.table({}) == beside.verdict({}) == beside.better({}) == []
    assert beside.notes({}) == [beside.NOT_COMPARED]

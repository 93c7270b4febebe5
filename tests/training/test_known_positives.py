"""Labelled positives are no negatives: neither drawn ones, nor other rows' documents, for every type and loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from rankdistill import manifest
from rankdistill.data import Dataset, load
from rankdistill.data.positives import gather
from rankdistill.losses import contrastive
from rankdistill.names import LOSSES, STUDENTS
from rankdistill.training import columns, known_positives, objectives, rows, types, views
from rankdistill.training.batch import Start
from rankdistill.training.config import TrainConfig
from rankdistill.training.labelling import LabellingCollator
from rankdistill.training.run import train
from rankdistill.training.sparsity import Sparsity
from rankdistill.training.vector_scores import in_batch_targets
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log, stop_at
from tests.training.test_views import negatives_of

STARTS = {
    "dense": "tiny_encoder",
    "splade": "tiny_splade",
    "splade-doc": "tiny_splade",
    "inference-free": "tiny_splade",
    "multi-vector": "tiny_multi_vector",
    "cross-encoder": "tiny_cross_encoder",
    "pair-head": "tiny_encoder",
}
"""Type -> a model to start from."""

BATCH = [
    ("what is the river", "deep river", "old planet", "glass"),
    ("what is the river", "slow river", "sweet bread", "deep river"),
    ("old planet", "round planet", "deep river", "iron stone"),
    ("bread", "sweet bread", "iron stone", "small engine"),
]
"""query, positive and two negatives a row: two rows of one query, and others' positives and negatives among them."""

LABELLED = {
    "what is the river": {"deep river", "slow river", "small engine"},
    "old planet": {"round planet", "old planet", "glass"},
    "bread": {"sweet bread", "round planet", "small engine"},
}
"""Query -> its positives. Some stand in the batch as another row's negative only; one is the row's own negative."""


def test_every_type_has_a_start() -> None:
    assert STARTS.keys() == STUDENTS.keys()


def expected_loss(scores: np.ndarray, scale: float, in_batch: bool) -> float:
    """InfoNCE with every labelled positive but the row's own out of the denominator, in float64."""
    documents = [text for _, *own in BATCH for text in own]
    terms = []
    for number, (query, *own) in enumerate(BATCH):
        texts = documents if in_batch else own
        place = 3 * number if in_batch else 0
        logits = scale * scores[number].astype(np.float64)
        counted = [at for at, text in enumerate(texts) if at == place or text not in LABELLED[query]]
        terms.append(np.log(np.exp(logits[counted]).sum()) - logits[place])
    return float(np.mean(terms))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("type_", STUDENTS)
def test_no_labelled_positive_is_in_a_denominator(
    type_: Any, loss: Any, tiny_data: Dataset, request: pytest.FixtureRequest
) -> None:
    config = TrainConfig(type=type_, loss=loss, scale=1.0, contrastive_weight=0.5, token_dimension=16)
    kind = types.get(type_)
    start = request.getfixturevalue(STARTS[type_])
    model = kind.load(Start(str(start), config, lambda: iter(tiny_data.contents.values()))).eval()
    names = ["query", "positive", "negative_1", "negative_2"]
    teacher = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    batch = [
        dict(zip(names, texts, strict=True)) | {"label": own.tolist()}
        for texts, own in zip(BATCH, teacher, strict=True)
    ]
    documents = {text: text for texts in LABELLED.values() for text in texts}
    labelled = [(query, text) for query, texts in LABELLED.items() for text in texts]
    positives = gather(tiny_data, {query: query for query in LABELLED}, documents, labelled)
    plain = kind.collator(model, names, config)
    marked = LabellingCollator(plain, positives)(batch)
    rows: Any = SimpleNamespace(scores=teacher)
    objective = objectives.build(kind, model, config, rows, Sparsity({}, {}))
    with torch.no_grad():
        scored = objective.scorer(model, columns.split(plain(batch), names))
        found = objective(columns.split(marked, names), marked["label"])
    distilled = objective.distillation(scored.own, torch.from_numpy(teacher)) if objective.distillation else 0.0
    term = (float(found) - float(distilled) / objective.unit**2) / objective.contrastive_weight
    wanted = expected_loss(scored.candidates.scores.numpy(), objective.contrastive_scale, kind.in_batch)
    assert term == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def known_of(dataset: Dataset, store: MemoryStore) -> known_positives.KnownPositives:
    return known_positives.read(dataset, store.candidates(), store.query_texts(), store.document_texts())


def without_labels(store: MemoryStore, *kept: tuple[str, str]) -> MemoryStore:
    """The store with candidates of which only the pairs `kept` have their label."""
    pair = pl.concat_list("query_id", "doc_id")
    stays = pl.any_horizontal(pl.lit(False), *(pair == pl.lit(list(one)) for one in kept))
    return replace(
        store,
        candidate_frame=store.candidates().with_columns(label=pl.when(stays).then("label").otherwise(None)),
    )


@pytest.fixture
def several(tiny_data: Dataset) -> tuple[str, list[str]]:
    """A train query with several positives, and these."""
    return next((query, sorted(labels)) for query, labels in tiny_data.qrels("train").items() if len(labels) > 1)


def test_drawn_negatives_are_no_positives_that_the_candidates_do_not_label(
    tiny_data: Dataset, tiny_store: MemoryStore, several: tuple[str, list[str]]
) -> None:
    query_id, positives = several
    store = without_labels(tiny_store, (query_id, positives[0]))
    ignorant = views.build(store.scores(), store.candidates(), 2)
    assert set(positives[1:]) <= set(negatives_of(ignorant, 0))
    view = views.build(store.scores(), store.candidates(), 2, known=known_of(tiny_data, store))
    assert [view.doc_ids[code] for code in view.positive] == positives[:1]
    assert set(negatives_of(view, 0)) == set(negatives_of(ignorant, 0)) - set(positives)
    assert view.report.dropped_known_positives == len(positives) - 1


def test_labels_of_another_split_are_known_too(tiny_beir: Path, tiny_store: MemoryStore) -> None:
    query_id, doc_id = next(
        pair for *pair, label in tiny_store.candidates().select("query_id", "doc_id", "label").iter_rows() if not label
    )
    with (tiny_beir / "qrels" / "dev.tsv").open("a") as qrels:
        qrels.write(f"{query_id}\t{doc_id}\t1\n")
    view = views.build(tiny_store.scores(), tiny_store.candidates(), 1, known=known_of(load(tiny_beir), tiny_store))
    for row, query in enumerate(view.query):
        assert view.query_ids[query] != query_id or doc_id not in negatives_of(view, row)
    assert view.report.dropped_known_positives >= 1


def doubled(store: MemoryStore) -> MemoryStore:
    """Every candidate once more under another id, unlabelled, of the same text."""
    again = pl.col("doc_id") + "-again"
    copies = store.candidates().with_columns(doc_id=again, label=pl.lit(None, dtype=pl.Int32))
    return replace(
        store,
        candidate_frame=pl.concat([store.candidates(), copies]),
        score_frame=pl.concat([store.scores(), store.scores().with_columns(doc_id=again)]),
        documents={**store.documents, **{f"{one}-again": text for one, text in store.documents.items()}},
    )


def test_the_text_of_a_positive_is_no_negative_under_another_id(tiny_data: Dataset, tiny_store: MemoryStore) -> None:
    store = doubled(tiny_store)
    view = views.build(store.scores(), store.candidates(), 2, known=known_of(tiny_data, store))
    labels = tiny_data.qrels("train")
    for row, query in enumerate(view.query):
        texts = {store.documents[doc_id] for doc_id in labels[view.query_ids[query]]}
        assert not texts & {store.documents[doc_id] for doc_id in negatives_of(view, row)}


def test_a_declared_positive_is_no_negative_of_its_row_under_another_id(
    tiny_data: Dataset, tiny_store: MemoryStore
) -> None:
    foreign = replace(
        doubled(without_labels(tiny_store)),
        queries={query_id: f"another question {query_id}" for query_id in tiny_store.queries},
    )
    known = known_of(tiny_data, foreign)
    unknown = replace(known, positives=gather(tiny_data, {}, {}))
    view = views.build(foreign.scores(), foreign.candidates(), 2, unlabelled="top", known=unknown)
    assert view.report.declared_positives == foreign.candidates()["query_id"].n_unique()
    for row, positive in enumerate(view.positive):
        text = foreign.documents[view.doc_ids[positive]]
        assert text not in {foreign.documents[doc_id] for doc_id in negatives_of(view, row)}


def test_a_document_without_a_text_stays_an_error(tiny_data: Dataset, tiny_store: MemoryStore) -> None:
    from rankdistill.errors import StoreError

    known = known_positives.read(tiny_data, tiny_store.candidates(), tiny_store.query_texts(), {})
    view = views.build(tiny_store.scores(), tiny_store.candidates(), 2, known=known)
    with pytest.raises(StoreError, match="text of every document"):
        rows.draw(view, tiny_store.query_texts(), {}, 10, 2, "uniform", 1)


Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str, store: MemoryStore = tiny_store, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 4, **given}
        return train(tiny_data, store, tiny_encoder, tmp_path / name, TrainConfig(**settings), **options)

    return start


def inputs_of(out: Path) -> set[str]:
    return set(manifest.expect(out, "student", "train").inputs)


def test_a_run_names_the_labels_that_it_depends_on_and_no_others(
    run: Run, tiny_store: MemoryStore, several: tuple[str, list[str]]
) -> None:
    usual = {"student", "scores", "candidates"}
    assert inputs_of(run("plain")) == usual
    assert inputs_of(run("mixed", contrastive_weight=0.1)) == usual | {"known_positives"}
    assert inputs_of(run("pairs", loss="contrastive", type="pair-head")) == usual
    query_id, positives = several
    silent = run("silent", without_labels(tiny_store, (query_id, positives[0])))
    assert inputs_of(silent) == usual | {"no_negatives"}
    assert log(silent)["view"]["dropped_known_positives"] == len(positives) - 1


def test_nfcorpus_has_no_labelled_positive_in_a_denominator(real_data: Path) -> None:
    """Two thirds of the rows have another row's positive that is labelled for their query too."""
    dataset = load(real_data / "nfcorpus")
    qrels, generator = dataset.qrels("train"), np.random.default_rng(0)
    queries = {query_id: dataset.query_texts[query_id] for query_id in sorted(qrels)}
    positives = gather(dataset, queries, dataset.contents)
    text_ids = {text: number for number, text in enumerate(sorted(set(dataset.contents.values())))}
    relevant: dict[str, set[int]] = {}
    for query_id, text in queries.items():
        for split in dataset.splits:
            labels = dataset.judgements[split].get(query_id, {})
            found = {text_ids[dataset.contents[doc_id]] for doc_id, label in labels.items() if label > 0}
            relevant.setdefault(text, set()).update(found)
    pairs = [(query_id, doc_id) for query_id, labels in qrels.items() for doc_id, label in labels.items() if label > 0]
    chosen = [pairs[at] for at in generator.choice(len(pairs), 20 * 32, replace=False)]
    unmasked_before, unmasked = [], []
    for start in range(0, len(chosen), 32):
        asked = [queries[query_id] for query_id, _ in chosen[start : start + 32]]
        said = [dataset.contents[doc_id] for _, doc_id in chosen[start : start + 32]]
        numbers = np.array([text_ids[text] for text in said])
        own = np.eye(32, dtype=bool)
        is_positive = np.array([[number in relevant[text] for number in numbers] for text in asked]) & ~own
        same_query = torch.tensor([text_ids.setdefault(text, len(text_ids)) for text in asked])
        _, before = in_batch_targets(same_query, torch.from_numpy(numbers))
        known = positives.mask(asked, said)
        np.testing.assert_array_equal(known & ~own, is_positive)
        unmasked_before.append((is_positive & ~before.numpy()).any(axis=1))
        unmasked.append((is_positive & ~known).any(axis=1))
    assert np.mean(unmasked) == 0
    assert np.mean(unmasked_before) > 0.6


def test_a_run_hands_the_labels_to_every_step_and_resumes_to_the_same_bytes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    def watched(scores: Any, positives: Any, excluded: Any) -> Any:
        counts.append(int(excluded.sum()))
        return contrastive(scores, positives, excluded=excluded)

    settings = {"loss": "contrastive", "steps": 12}
    whole = run("whole", **settings)
    monkeypatch.setattr(objectives, "contrastive", watched)
    with pytest.raises(KeyboardInterrupt):
        run("broken", **settings, progress=stop_at(6))
    resumed = run("broken", **settings)
    assert log(resumed) == log(whole)
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    # stopped in step 6, gone on from the checkpoint of step 4
    assert len(counts) == 6 + 8
    assert sum(counts) > 0

"""What a taught teacher is worth: nDCG on dev candidates beside the sources' own order, BM25's and the base model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from rankdistill.data import Dataset
from rankdistill.display import Table
from rankdistill.errors import RankdistillError
from rankdistill.inference.loading import kind_of, quietly
from rankdistill.mining.sources import Bm25Source
from rankdistill.models import ModelReference
from rankdistill.teachers import registry
from rankdistill.teachers.teaching import reranking

LOG_NAME = "dev_beside"
"""Where `training_log.json` holds what `measure` gives."""

AS = {
    "cross_encoder": ("cross_encoder", "a cross-encoder"),
    "encoder": ("embedding", "an encoder"),
    "sparse": ("sparse", "a sparse encoder"),
    "multi_vector": ("multi_vector", "a multi-vector encoder"),
}
"""Kind of a base -> the kind of teacher that ranks with it, and what to call that."""

BM25, BM25_DEPTH = "bm25", 1000
"""The source that the teacher is always compared with, and how deep it is asked where it is none of the candidates'."""

NOT_COMPARED = (
    "the teacher was compared with nothing, so it may be worse than BM25 or its base: give the candidates of a dev "
    "split (`mine --split dev`, then `teach --dev-candidates`; a recipe mines those of `data.dev` by itself)"
)
"""What to know of a teacher that was taught without dev candidates."""

UNTRAINED = ("embedding", "an encoder with mean pooling, untrained")
"""The same of a bare transformer, which sentence-transformers loads so; nobody trained it to embed or to rank."""


def measure(
    model: Any, dataset: Dataset, split: str, candidates: pl.DataFrame, limit: int, base: ModelReference
) -> dict[str, Any]:
    """nDCG@10 of the teacher, of each source of the candidates, of BM25 and of the base, by `reranking.evaluator`.

    All rank the same documents, and a positive that no source retrieved counts for none of them; a source puts what
    others alone retrieved last. So they compare with each other, not with a retrieval of the whole collection. BM25 is
    asked for its own order where it is no source.

    Args:
        model: the taught `CrossEncoder`.
        dataset: queries, documents and labels.
        split: whose queries and labels.
        candidates: of that split.
        limit: queries at most.
        base: what the teacher was made from; ranks as the model that it is, or why it cannot is told.

    Returns:
        `split`, `queries`, `teacher`, `sources` (name -> value), and `base` with `as` and `value`, or `not_measured`.
    """
    test = reranking.evaluator(dataset, split, candidates, limit)
    pairs = [(sample["query"], document) for sample in test.samples for document in sample["documents"]]
    with quietly():
        taught = model.predict(pairs, batch_size=test.batch_size, show_progress_bar=False) if pairs else []
    return {
        "split": split,
        "queries": len(test.samples),
        "teacher": _ndcg(test, taught),
        "sources": {name: _ndcg(test, order) for name, order in _orders(test, dataset, candidates).items()},
        "base": _of_base(test, pairs, base),
    }


def table(log: Mapping[str, Any]) -> list[Table]:
    """A system a row, with its nDCG@10 and how far the teacher is above it; none where it was not measured."""
    found = log.get(LOG_NAME)
    if found is None:
        return []
    title = f"{found['split']}: {found['queries']:,} queries, each ranking their candidates"
    rows = [["the taught teacher", f"{found['teacher']:.4f}", ""]]
    rows += [[name, f"{value:.4f}", f"{found['teacher'] - value:+.4f}"] for name, value in _others(found).items()]
    return [Table(title, ["", "nDCG@10", "teacher minus it"], rows)]


def verdict(log: Mapping[str, Any]) -> list[str]:
    """The sentence that says whether the teacher is worth its cost; none where it was not measured."""
    found = log.get(LOG_NAME)
    if found is None:
        return []
    others = _others(found)
    if worse := better(log):
        shown = " and ".join(f"{name} ({others[name]:.4f})" for name in worse)
        return [f"The taught teacher ({found['teacher']:.4f}) ranks these candidates worse than {shown}."]
    best = max(others, key=lambda name: others[name])
    return [
        f"The taught teacher ({found['teacher']:.4f}) ranks these candidates no worse than anything beside it; the "
        f"best of that is {best} ({others[best]:.4f})."
    ]


def better(log: Mapping[str, Any]) -> list[str]:
    """What ranks better than the teacher, the best first; none where it was not measured."""
    found = log.get(LOG_NAME)
    if found is None:
        return []
    others = _others(found)
    return sorted((name for name in others if others[name] > found["teacher"]), key=lambda name: -others[name])


def notes(log: Mapping[str, Any]) -> list[str]:
    """What to know of it: that it was compared with nothing, or that the base could not be measured."""
    found = log.get(LOG_NAME)
    if found is None:
        return [NOT_COMPARED]
    if "not_measured" not in found["base"]:
        return []
    return [f"the base was not measured as {found['base']['as']}: {found['base']['not_measured']}"]


def _others(found: Mapping[str, Any]) -> dict[str, float]:
    """Name -> nDCG@10 of what the teacher is compared with."""
    base = found["base"]
    of_base = {f"the base as {base['as']}": base["value"]} if "value" in base else {}
    return {**found["sources"], **of_base}


def _ndcg(test: Any, scores: Sequence[float]) -> float:
    """The mean over the samples of `test`; `scores` are those of all their documents, one sample after the other."""
    values, start = [], 0
    for sample in test.samples:
        relevant = [int(document in sample["positive"]) for document in sample["documents"]]
        of_sample = np.asarray(scores[start : start + len(relevant)])
        start += len(relevant)
        values.append(float(test.compute_metrics(relevant, of_sample)[1]) if any(relevant) else 0.0)
    return float(np.mean(values)) if values else 0.0


def _orders(test: Any, dataset: Dataset, candidates: pl.DataFrame) -> dict[str, list[float]]:
    """Source -> a score of each of the samples' documents that sorts them as its ranks do, the unretrieved last."""
    ranked = candidates.filter(pl.col("rank").is_not_null())
    ranks: dict[str, dict[tuple[str, str], int]] = {}
    for name in ranked["source"].unique().sort():
        rows = ranked.filter(pl.col("source") == name).select("query_id", "doc_id", "rank").iter_rows()
        ranks[name] = {(query_id, doc_id): place for query_id, doc_id, place in rows}
    if BM25 not in ranks:
        ranks[BM25] = _by_bm25(test, dataset)
    last = max((place for rank in ranks.values() for place in rank.values()), default=0) + 1
    return {
        name: [
            -float(rank.get((sample["query_id"], doc_id), last))
            for sample in test.samples
            for doc_id in sample["doc_ids"]
        ]
        for name, rank in ranks.items()
    }


def _by_bm25(test: Any, dataset: Dataset) -> dict[tuple[str, str], int]:
    """(query, document) -> rank in a search of the whole collection, to `BM25_DEPTH`."""
    queries = [sample["query"] for sample in test.samples]
    found, _ = Bm25Source().retrieve(dataset.contents, queries, BM25_DEPTH, lambda advanced: None)
    return {
        (sample["query_id"], doc_id): place
        for sample, doc_ids in zip(test.samples, found, strict=True)
        for place, doc_id in enumerate(doc_ids, start=1)
    }


def _of_base(test: Any, pairs: Sequence[tuple[str, str]], base: ModelReference) -> dict[str, Any]:
    kind = kind_of(base.path)
    bare = kind in ("encoder", "sparse", "causal_lm") and not (base.path / "modules.json").is_file()
    teacher, called = UNTRAINED if bare else AS.get(kind, UNTRAINED)
    settings = {"model": base.name, "backend": "torch"}
    try:
        scores = registry.TeacherSpec(teacher, settings).load().score(pairs)
    except RankdistillError as error:  # teaching is done by now, and does not depend on this
        return {"as": called, "not_measured": str(error).splitlines()[1].removeprefix("got: ")}
    return {"as": called, "value": _ndcg(test, scores.tolist())}

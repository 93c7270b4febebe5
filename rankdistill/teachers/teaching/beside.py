"""What a taught teacher is worth: its nDCG on the dev candidates beside the sources' own order and the base model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from rankdistill.data import Dataset
from rankdistill.errors import RankdistillError
from rankdistill.inference.loading import kind_of, quietly
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

UNTRAINED = ("embedding", "an encoder with mean pooling, untrained")
"""The same of a bare transformer, which sentence-transformers loads so; nobody trained it to embed or to rank."""


def measure(
    model: Any, dataset: Dataset, split: str, candidates: pl.DataFrame, limit: int, base: ModelReference
) -> dict[str, Any]:
    """nDCG@10 of the teacher, of each source of the candidates and of the base, by the rules of `reranking.evaluator`.

    All rank the same documents, and a positive that no source retrieved counts for none of them; a source puts what
    others alone retrieved last. So they compare with each other, not with a retrieval of the whole collection.

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
        "sources": {name: _ndcg(test, order) for name, order in _orders(test, candidates).items()},
        "base": _of_base(test, pairs, base),
    }


def figures(log: Mapping[str, Any]) -> list[str]:
    """The line of a training log that says what the teacher is worth; none where it was not measured."""
    found = log.get(LOG_NAME)
    if found is None:
        return []
    values = {"teacher": found["teacher"], **_others(found)}
    shown = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    return [f"nDCG@10 of the candidates of {found['queries']:,} queries of {found['split']}: {shown}"]


def notes(log: Mapping[str, Any]) -> list[str]:
    """What to know of it: that something else ranks better, or that the base could not be measured."""
    found = log.get(LOG_NAME)
    if found is None:
        return []
    lines = []
    if "not_measured" in found["base"]:
        lines.append(f"the base was not measured as {found['base']['as']}: {found['base']['not_measured']}")
    if better := [name for name, value in _others(found).items() if value > found["teacher"]]:
        lines.append(
            f"the taught teacher ranks these candidates worse than {' and '.join(better)}: its scores would teach a "
            "student a worse order. Teach it for longer, on more labels or from another base"
        )
    return lines


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


def _orders(test: Any, candidates: pl.DataFrame) -> dict[str, list[float]]:
    """Source -> a score of each of the samples' documents that sorts them as its ranks do, the unretrieved last."""
    ranked = candidates.filter(pl.col("rank").is_not_null())
    last = int(ranked["rank"].max() or 0) + 1  # type: ignore[arg-type]
    found = {}
    for name in ranked["source"].unique().sort():
        rows = ranked.filter(pl.col("source") == name).select("query_id", "doc_id", "rank").iter_rows()
        rank = {(query_id, doc_id): place for query_id, doc_id, place in rows}
        found[name] = [
            -float(rank.get((sample["query_id"], doc_id), last))
            for sample in test.samples
            for doc_id in sample["doc_ids"]
        ]
    return found


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

"""`rerank`: the documents of a run in the order of a student or a teacher."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from rankdistill.evaluation import evaluating
from rankdistill.evaluation.rerank import PairScorer, Reranker
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs.arguments import (
    Data,
    Place,
    Teacher,
    collection_of,
    place_of,
    require_length,
    require_range,
    require_title,
    scorer_of,
)
from rankdistill.verbs.contract import verb
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.runs import Beside, measured, open_run


class Reranked(Beside):
    """A run, and the same in the order of a model."""


@verb
def rerank(
    data: Data,
    run: Place,
    model: Teacher | PairScorer,
    out: Place,
    *,
    split: str = "test",
    depth: int = 100,
    kind: str = "auto",
    backend: str = "auto",
    max_length: int | None = None,
    latency: int = 0,
    name: str | None = None,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Reranked:
    """Score the candidates of a run with a model, and evaluate the new order beside the old one.

    Args:
        data: the collection.
        run: an evaluation or its folder, a TREC or a Parquet run file.
        model: what scores: a cross-encoder, multi-vector, sparse or dense model, a pair head; a YAML of a teacher; or
            an object that scores pairs (`score` and `fingerprint`), of which the three settings below say nothing.
        out: folder for results.json, per_query.parquet and the run.
        split: which qrels.
        depth: documents a query that are scored; the rest follow.
        kind: of the model; found from its configuration.
        backend: what runs the model; `auto` takes a fast exact one, `fast` the fastest measured here of those that
            rank as float32 does.
        max_length: tokens an input; the model's own unless given.
        latency: time so many queries one by one; 0 times none.
        name: what tables call the system.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: see `rankdistill.mine`.
        progress: True tells on standard error; or a function that takes the number of pairs just scored.
        command: the command line, for the manifest.

    Returns:
        Both orders; it stands for the folder of the new one's evaluation.

    Raises:
        ConfigError: settings that the model does not take.
        DataError: the collection cannot be used, or the run is not of it.
        ModelReferenceError: there is no such model.
        StaleOutputError: `out` holds another evaluation.
    """
    require_title(name)
    require_range(1, depth=depth)
    require_length(max_length=max_length)
    require_range(0, latency=latency)
    dataset = collection_of(data, [split], lenient, ignore_identical_ids)
    first = open_run(run, dataset, split)
    if isinstance(model, str | PathLike):
        note_longer(fspath(model), max_length)
    reference, scorer = scorer_of(model, kind, backend, max_length)
    title = name or f"{Path(reference).name if Path(reference).is_dir() else reference} on {first.name}"
    with reporter_of(progress).stage("rerank", "pairs") as stage:
        evaluation = evaluating.evaluate(
            Reranker(dataset, first, scorer, title, depth, stage),
            dataset,
            split,
            place_of(out),
            latency_queries=min(latency, len(dataset.queries(split))),
            trained=reference if isinstance(model, str | PathLike) else None,
            command=command,
        )
    systems = [measured(first, dataset, split), evaluation.system]
    return Reranked(dataset.name, split, evaluation.queries, systems, evaluation)

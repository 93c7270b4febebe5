"""A multi-vector student beside the bi-encoder of the same size and training, a cross-encoder and a pair head.

    python -m benchmarks.multi_vector_students --data DIR --store STORE --work WORK [--teacher TEACHER] [--steps 400]

STORE is a score store of DIR's training queries, such as the `scores` step of `benchmarks.main_job`, and TEACHER the
cross-encoder that made it, its `teacher` step. Each student is trained once a seed. The bi-encoder and the multi-vector
student start from the same two layers of the same encoder; the cross-encoder starts from those of TEACHER, or of the
encoder where none is given, since it must learn to compare two texts from scratch then. All see the same rows for as
many steps; but for the pair head, which is trained over the vectors of the bi-encoder: it sees as many other rows,
because the bi-encoder has learned its own by heart. Settings are those of recipes/msmarco_mini.yaml, but for `--set`,
and nothing is chosen on the test splits. Each is evaluated as a first stage where it can be one, and re-ranking what
BM25 finds and what the bi-encoder finds. The pair head scores the vectors that the index of the bi-encoder holds.
Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks import seeds
from benchmarks.held_vectors import HeldPairs, HeldTokens
from benchmarks.provenance import parse, write_results
from rankdistill.data import Dataset
from rankdistill.recipe import loading
from rankdistill.recipe.scores.schema import Recipe

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "msmarco_mini.yaml"
BI_ENCODER, MULTI_VECTOR, CROSS_ENCODER, PAIR_HEAD = "dense", "multi-vector", "cross-encoder", "pair-head"
BM25 = "BM25"
EXACT, APPROXIMATE = "exact", "token-ivf"
INDEXES = ((BI_ENCODER, EXACT), (MULTI_VECTOR, EXACT), (MULTI_VECTOR, APPROXIMATE))
RERANKERS = (MULTI_VECTOR, CROSS_ENCODER, PAIR_HEAD)
BASELINE = f"{BI_ENCODER}, {EXACT}"
OTHER_ROWS = 1000
"""Added to the seed of the pair head, so that it is trained on other rows than any encoder."""

LATENCY_QUERIES = 40
K = 100


def main() -> None:
    """Train, index, evaluate, compare; write benchmarks/results/multi_vector_students.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--teacher", help="cross-encoder whose layers the cross-encoder student starts from")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--set", action="append", default=[], help="of the recipe, such as train.batch_size=8")
    seeds.add_argument(parser)
    parser.add_argument("--splits", help="of the recipe's test splits; all unless given")
    given = parse(parser)
    dataset = rankdistill.open(given.data, lenient=True)
    overrides = [f"data.source={given.data}", f"train.steps={given.steps}", *given.set]
    recipe = loading.expect(loading.load(RECIPE, overrides), Recipe)
    names = given.splits.split(",") if given.splits else recipe.data.test
    folders: dict[str, dict[str, list[Path]]] = {split: {} for split in names}
    recalls: dict[str, list[float]] = {split: [] for split in names}
    for seed in given.seeds:
        work = given.work / f"seed-{seed}"
        students = _students(dataset, given.store, work, recipe, given.teacher, seed)
        indexes = _indexes(dataset, students, work)
        exact, approximate = (indexes[f"{MULTI_VECTOR}, {backend}"] for backend in (EXACT, APPROXIMATE))
        for split in names:
            for name, folder in _evaluated(dataset, split, students, indexes, work):
                folders[split].setdefault(name, []).append(folder)
            recalls[split].append(_recall(dataset.queries(split), exact, approximate))
            print(f"seed {seed}, {split}: recall@{K} of {APPROXIMATE} against exact MaxSim {recalls[split][-1]}")
    splits = {
        split: seeds.compared({name: seeds.trained(name, paths) for name, paths in found.items()}, BASELINE)
        for split, found in folders.items()
    }
    content = {
        "train": recipe.train_config("margin-mse").decisive(),
        "student": recipe.student.model_dump(),
        "documents": len(dataset.doc_ids),
        "splits": splits,
        f"recall_at_{K}_of_{APPROXIMATE}": recalls,
    }
    print(write_results("multi_vector_students", content, given.data.name))


def _students(
    dataset: Dataset, store: Path, work: Path, recipe: Recipe, teacher: str | None, seed: int
) -> dict[str, Path]:
    """By type; the pair head starts from the trained bi-encoder, whose vectors stay."""
    students: dict[str, Path] = {}
    for kind in (BI_ENCODER, MULTI_VECTOR, CROSS_ENCODER, PAIR_HEAD):
        print("training", kind, flush=True)
        start, layers = recipe.student.model, recipe.student.keep_layers
        if kind == PAIR_HEAD:
            start, layers = str(students[BI_ENCODER]), None
        if kind == CROSS_ENCODER and teacher is not None:
            start = teacher
        own = seed + OTHER_ROWS if kind == PAIR_HEAD else seed
        config = recipe.train_config("margin-mse").model_copy(update={"type": kind, "seed": own})
        out = work / "students" / kind
        trained = rankdistill.train(
            dataset, store, start, out, config=config, split=recipe.data.train, keep_layers=layers
        )
        students[kind] = trained.path
    return students


def _indexes(dataset: Dataset, students: Mapping[str, Path], work: Path) -> dict[str, Path]:
    """By name; the tokens of the exact index go into the approximate one, without being encoded again."""
    indexes: dict[str, Path] = {}
    for kind, backend in INDEXES:
        print("indexing", kind, backend, flush=True)
        out = work / "indexes" / f"{kind}-{backend}"
        if backend == APPROXIMATE:
            HeldTokens(students[kind], indexes[f"{kind}, {EXACT}"]).into(dataset, out, backend)
        else:
            rankdistill.index(dataset, students[kind], out, factory=backend, snippets=0)
        indexes[f"{kind}, {backend}"] = out
    return indexes


def _systems(
    dataset: Dataset, students: Mapping[str, Path], indexes: Mapping[str, Path]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """First stages, then the students on the first documents of BM25 and of the bi-encoder: name and what it is."""
    for name, index in indexes.items():
        yield name, {"system": index}
    yield BM25, {"system": "bm25"}
    for kind in RERANKERS:
        scorer: Any = students[kind]
        if kind == PAIR_HEAD:
            scorer = HeldPairs(students[kind], indexes[BASELINE], dataset)
        second = {"rerank": scorer, "rerank_depth": K, "size_of": students[kind]}
        for first, system in ((BM25, "bm25"), (BI_ENCODER, indexes[BASELINE])):
            yield f"{kind} on {first}", {"system": system, **second}


def _evaluated(
    dataset: Dataset, split: str, students: Mapping[str, Path], indexes: Mapping[str, Path], work: Path
) -> Iterator[tuple[str, Path]]:
    """Each system and the folder of its evaluation; its latency is that of this machine at this moment."""
    for name, system in _systems(dataset, students, indexes):
        out = work / "evaluations" / split / name.replace(", ", "-").replace(" ", "-")
        print("evaluating", name, "on", split, flush=True)
        rankdistill.evaluate(dataset, out=out, split=split, name=name, latency=LATENCY_QUERIES, **system)
        yield name, out


def _recall(queries: Mapping[str, str], exact: Path, approximate: Path) -> float:
    """Share of the best documents by exact MaxSim that the approximate index finds."""
    oracle, other = rankdistill.open(exact), rankdistill.open(approximate)
    vectors = oracle.open_query_encoder().encode_queries(list(queries.values()))
    wanted, found = oracle.search(vectors, K)[0], other.search(vectors, K)[0]
    shares = [len({*one} & {*two}) / len({*one}) for one, two in zip(wanted, found, strict=True)]
    return round(sum(shares) / len(shares), 4)


if __name__ == "__main__":
    main()

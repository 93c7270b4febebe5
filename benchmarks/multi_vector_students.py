"""A multi-vector student beside the bi-encoder of the same size and training, and a cross-encoder student.

    python -m benchmarks.multi_vector_students --data DIR --store STORE --work WORK [--steps 400]

STORE is a score store of DIR's training queries, such as the `scores` step of `benchmarks.main_job` (a taught
cross-encoder). The three students start from the same two layers of the same encoder and see the same rows for as many
steps; settings are those of recipes/msmarco_mini.yaml and nothing is chosen on the test splits. Each is evaluated as a
first stage where it can be one, and re-ranking what BM25 finds. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.provenance import write_results
from rankdistill import data, teachers
from rankdistill.data import Dataset
from rankdistill.evaluation import comparing, report
from rankdistill.evaluation.evaluating import Costs, evaluate
from rankdistill.evaluation.footprint import footprint
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.rerank import Reranker
from rankdistill.evaluation.retrieve import Bm25Retriever, Retriever
from rankdistill.index import build
from rankdistill.index import load as load_index
from rankdistill.recipe import loading
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.stores.reader import ScoreStore
from rankdistill.training.run import train

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "msmarco_mini.yaml"
BI_ENCODER, MULTI_VECTOR, CROSS_ENCODER = "dense", "multi-vector", "cross-encoder"
INDEXES = {BI_ENCODER: ["exact"], MULTI_VECTOR: ["exact", "token-ivf"], CROSS_ENCODER: []}
TEST_SPLITS = ("dl19", "dev")
BASELINE = f"{BI_ENCODER}, exact"
LATENCY_QUERIES = 40
K = 100


def main() -> None:
    """Train, index, evaluate, compare; write benchmarks/results/multi_vector_students.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    given = parser.parse_args()
    dataset = data.load(given.data)
    students = {kind: _student(dataset, given.store, given.work / kind, kind, given.steps) for kind in INDEXES}
    indexes = {
        f"{kind}, {backend}": _index(dataset, students[kind], given.work / f"{kind}-{backend}", backend)
        for kind, backends in INDEXES.items()
        for backend in backends
    }
    splits = {split: _split(dataset, split, students, indexes, given.work) for split in TEST_SPLITS}
    exact, approximate = (indexes[f"{MULTI_VECTOR}, {backend}"] for backend in INDEXES[MULTI_VECTOR])
    recall = {split: _recall(dataset.queries(split), exact, approximate) for split in TEST_SPLITS}
    print(f"recall@{K} of token-ivf against exact MaxSim:", recall)
    content = {"steps": given.steps, "splits": splits, f"recall_at_{K}_of_token_ivf": recall}
    print(write_results("multi_vector_students", content, given.data.name))


def _student(dataset: Dataset, store: Path, out: Path, kind: str, steps: int) -> Path:
    recipe = loading.expect(loading.load(RECIPE, [f"data.source={dataset.path}", f"train.steps={steps}"]), Recipe)
    config = recipe.train_config("margin-mse").model_copy(update={"type": kind})
    print("training", kind, flush=True)
    return train(
        dataset,
        ScoreStore(store),
        recipe.student.model,
        out,
        config,
        split=recipe.data.train,
        keep_layers=recipe.student.keep_layers,
    )


def _index(dataset: Dataset, student: Path, out: Path, backend: str) -> Path:
    print("indexing", out.name, flush=True)
    build(dataset, str(student), out, backend)
    return out


def _systems(
    dataset: Dataset, students: Mapping[str, Path], indexes: Mapping[str, Path]
) -> Iterator[tuple[Retriever, Costs]]:
    """First stages, then the students on the first documents of BM25."""
    for name, index in indexes.items():
        size = footprint(load_index(index).model or "")
        yield (
            open_retriever(dataset, index=index, name=name),
            Costs(size.model_bytes, load_index(index).size, size.parameters),
        )
    bm25 = Bm25Retriever(dataset)
    yield bm25, Costs()
    for kind, student in students.items():
        size = footprint(str(student))
        scorer = teachers.load(str(student))
        yield Reranker(dataset, bm25, scorer, f"{kind} on BM25", K), Costs(size.model_bytes, None, size.parameters)


def _split(
    dataset: Dataset, split: str, students: Mapping[str, Path], indexes: Mapping[str, Path], work: Path
) -> dict[str, Any]:
    folders = {}
    for system, costs in _systems(dataset, students, indexes):
        out = work / f"evaluation-{split}" / system.name.replace(", ", "-").replace(" ", "-")
        evaluate(system, dataset, split, out, costs=costs, latency_queries=LATENCY_QUERIES)
        folders[system.name] = out
    results = comparing.compare(list(folders.values()), folders[BASELINE])
    print(f"\n{split}, {results.queries} queries")
    for system in results.systems:
        milliseconds = system.latency_ms.p50 if system.latency_ms else float("nan")
        size = (system.index_bytes or 0) / 1e6
        print(f"  {system.name:24} nDCG@10 {system.measures['ndcg_at_10']:.4f} {milliseconds:8.1f} ms {size:8.1f} MB")
    for row in report.comparison_rows(results, "ndcg_at_10")[1]:
        print("  ", *row)
    return {
        "systems": [system.model_dump(exclude={"per_query"}) for system in results.systems],
        "comparisons": [found.model_dump() for found in results.comparisons],
    }


def _recall(queries: Mapping[str, str], exact: Path, approximate: Path) -> float:
    """Share of the best documents by exact MaxSim that the approximate index finds."""
    oracle, other = load_index(exact), load_index(approximate)
    vectors = oracle.open_query_encoder().encode_queries(list(queries.values()))
    wanted, found = oracle.search(vectors, K)[0], other.search(vectors, K)[0]
    shares = [len({*one} & {*two}) / len({*one}) for one, two in zip(wanted, found, strict=True)]
    return round(sum(shares) / len(shares), 4)


if __name__ == "__main__":
    main()

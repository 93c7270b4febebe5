"""Run a published LEAF recipe and hold its figures against the published ones. Needs a hub, its texts, and a GPU.

    python -m benchmarks.reproductions.leaf leaf_ir [--set recipe-setting=value]

The recipes are leaf_ir.yaml and leaf_mt.yaml beside this file: `recipe` is what `rankdistill run` takes, `expected` the
published figures, `averaged_first` the collections that count as one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

import rankdistill
from benchmarks.provenance import parse, provenance, write_results
from rankdistill.recipe import loading
from rankdistill.recipe.leaf import triangle
from rankdistill.recipe.leaf.experiment import LeafExperiment
from rankdistill.recipe.leaf.schema import LeafRecipe

HERE = Path(__file__).resolve().parent
STUDENT = "leaf"
"""What the recipes call the student that was published."""


def load(path: Path, overrides: Sequence[str] = ()) -> tuple[LeafRecipe, dict[str, Any]]:
    """The recipe of a reproduction and the whole file."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loading.expect(loading.parse(content["recipe"], str(path), overrides), LeafRecipe), content


def mean_over_collections(found: Sequence[triangle.Triangle], side: str, averaged_first: Sequence[str] = ()) -> float:
    """Mean of one side of the student's triangles; collections whose names begin alike are averaged to one first.

    Args:
        found: of all students; the mean rows are not used.
        side: `standard`, `asymmetric` or `teacher`.
        averaged_first: beginnings of names.
    """
    values: dict[str, list[float]] = {}
    for one in found:
        if one.student == STUDENT and one.data != triangle.MEAN:
            group = next((prefix for prefix in averaged_first if one.data.startswith(prefix)), one.data)
            values.setdefault(group, []).append(getattr(one, side))
    return fmean(fmean(group) for group in values.values())


def mean_over_tasks(model: str, tasks: Sequence[Any]) -> float:
    """Mean of the main scores of a sentence-transformers model over mteb's `tasks`."""
    import mteb
    from sentence_transformers import SentenceTransformer

    results = mteb.evaluate(SentenceTransformer(model), tasks, cache=None)
    return fmean(float(result.get_score()) for result in results.task_results)


def held_against(
    expected: Sequence[Mapping[str, Any]], measure: Callable[[Mapping[str, Any]], float]
) -> list[dict[str, Any]]:
    """Each published figure with the one that `measure` gives, and whether they agree within the tolerance."""
    rows = []
    for one in expected:
        value = measure(one)
        rows.append({**one, "found": value, "passed": abs(value - one["value"]) <= one["tolerance"]})
    return rows


def main() -> None:
    """Run the recipe, compare, write the results; exits with 1 if a figure is outside its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["leaf_ir", "leaf_mt"])
    parser.add_argument("--set", action="append", default=[], help="change a setting of the recipe: train.epochs=1")
    given = parse(parser)
    recipe, content = load(HERE / f"{given.name}.yaml", given.set)
    rankdistill.run(recipe, progress=True, command=provenance()["command"])
    found = triangle.read(recipe.folder)

    def measure(one: Mapping[str, Any]) -> float:
        if "benchmark" not in one:
            return mean_over_collections(found, one["side"], content.get("averaged_first", ()))
        import mteb

        is_teacher = one["side"] == "teacher"
        model = recipe.teacher.model if is_teacher else str(LeafExperiment(recipe).student(STUDENT).folder)
        return mean_over_tasks(model, mteb.get_benchmark(one["benchmark"]).tasks)

    results = held_against(content["expected"], measure)
    write_results(given.name, {"results": results, "recipe": recipe.model_dump(mode="json")}, recipe.name)
    for result in results:
        verdict = "ok" if result["passed"] else "OUTSIDE"
        print(f"{verdict:8} {result['what']}: {result['found']:.4f}, published {result['value']:.4f}")
    if not all(result["passed"] for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""LEAF on real collections: recipes/leaf.yaml, each student beside its teacher, paired tests, and what carries over.

    python -m benchmarks.leaf --data DIR [--set train.epochs=1]

DIR holds a folder for each collection of the recipe. Writes benchmarks/results/leaf.json: every system's measures on
each test split, their differences to the teacher, and the triangles (standard, asymmetric, teacher) with their means
over the collections whose texts were embedded and over the others.
"""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks.provenance import parse, write_results
from rankdistill.recipe import loading
from rankdistill.recipe.leaf.run import LeafRun
from rankdistill.recipe.leaf.schema import TEACHER, LeafRecipe
from rankdistill.recipe.leaf.triangle import MEAN, triangles
from rankdistill.recipe.steps import Times

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes" / "leaf.yaml"


def main() -> None:
    """Run the recipe (what is done is not done again) and put its figures together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[])
    given = parse(parser)
    sources = loading.expect(loading.load(RECIPE, []), LeafRecipe).data
    overrides = [*(f"data.{name}.source={given.data / part.source}" for name, part in sources.items()), *given.set]
    sets = [word for override in overrides for word in ("--set", override)]
    recipe = loading.expect(loading.load(RECIPE, overrides), LeafRecipe)
    command = shlex.join(["rankdistill", "run", str(RECIPE), *sets])
    every, run = rankdistill.run(recipe, progress=True, command=command), LeafRun(recipe)
    for results in every:
        print(f"\n{results.data}, {results.split}, difference to the teacher")
        for row in results.tables()[1].rows:
            print("  ", *row)
    groups = {
        "texts embedded": [results for results in every if recipe.data[results.data].embed],
        "texts not seen": [results for results in every if not recipe.data[results.data].embed],
    }
    retained = {group: _retention(triangles(some, TEACHER, list(recipe.students))) for group, some in groups.items()}
    print(json.dumps(retained, indent=1))
    content = {
        "recipe": _without_sources(recipe),
        "seconds_of_last_start": {step.name: Times(recipe.folder).of(step) for step in run.steps()},
        "retention": retained,
        "splits": {
            f"{results.data}/{results.split}": {
                "queries": results.queries,
                "systems": [system.model_dump(exclude={"latency_ms", "per_query"}) for system in results.systems],
                "comparisons": [found.model_dump() for found in results.comparisons],
            }
            for results in every
        },
        "training": {name: _log(run, name) for name in recipe.trainings},
    }
    print(write_results("leaf", content, ", ".join(recipe.data)))


def _retention(found: list[Any]) -> dict[str, dict[str, Any]]:
    """Student -> collection, or their mean -> the corners of the triangle and the shares of the teacher's."""
    table: dict[str, dict[str, Any]] = {}
    for one in found:
        corners = {name: value for name, value in asdict(one).items() if isinstance(value, float)}
        table.setdefault(one.student, {})[one.data if one.data == MEAN else f"{one.data}/{one.split}"] = {
            **corners,
            "retention": one.retention,
        }
    return table


def _log(run: LeafRun, student: str) -> dict[str, Any]:
    """What the run measured while it trained."""
    log = json.loads((run.experiment.student(student).folder / "training_log.json").read_text(encoding="utf-8"))
    return {name: log[name] for name in ("texts", "truncation", "steps", "best_step", "monitor")}


def _without_sources(recipe: LeafRecipe) -> dict[str, Any]:
    """The recipe as JSON, without the folders of this machine."""
    content: dict[str, Any] = recipe.model_dump(mode="json")
    for part in content["data"].values():
        del part["source"]
    return content


if __name__ == "__main__":
    main()

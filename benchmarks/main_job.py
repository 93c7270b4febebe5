"""The main job on a collection: recipes/msmarco_mini.yaml, with each pair of systems that matters tested.

    python -m benchmarks.main_job --data DIR [--set train.steps=100]
    python -m benchmarks.main_job --recipe quickstart --set "seeds=[13, 14, 15]"

Writes benchmarks/results/main_job.json, or that of the other recipe's name: every system's measures with intervals, and
paired, Holm-corrected comparisons with the student before training, with the one that is only aligned, with the
contrastive student, and with BM25, where the recipe has them. Each student is trained once with each of the recipe's
seeds; the teacher is taught once.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks.provenance import parse, write_results
from rankdistill.recipe import loading
from rankdistill.recipe.leaf.schema import LeafRecipe
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.run import ScoresRun
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.scores.systems import BM25, INITIAL, Systems
from rankdistill.recipe.staged.run import StagedRun
from rankdistill.recipe.staged.schema import ALIGNED, StagedRecipe
from rankdistill.recipe.staged.systems import StagedSystems
from rankdistill.recipe.steps import Times

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "recipes"
RECIPE = RECIPES / "msmarco_mini.yaml"
BASELINES = (INITIAL, ALIGNED, "contrastive", BM25)
"""Those of them that a recipe has."""


def main() -> None:
    """Run the recipe (what is done is not done again) and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="instead of the recipe's data; the main job needs it")
    parser.add_argument("--recipe", default=RECIPE.stem, help="of recipes/, whose students learn from scores")
    parser.add_argument("--set", action="append", default=[])
    given = parse(parser)
    path = RECIPES / f"{given.recipe}.yaml"
    if not path.is_file() or (path == RECIPE and not given.data):
        parser.error(f"give --data DIR, or another recipe than {path.name}; there are {_names()}")
    overrides = [*([f"data.source={given.data}"] if given.data else []), *given.set]
    sets = [word for override in overrides for word in ("--set", override)]
    command = shlex.join(["rankdistill", "run", str(path), *sets])
    rankdistill.run(path, overrides, progress=True, command=command)

    recipe = loading.load(path, overrides)
    if isinstance(recipe, LeafRecipe):
        parser.error(f"{path.name} is of the kind {recipe.kind}: its benchmark is `benchmarks.leaf`")
    staged = isinstance(recipe, StagedRecipe)
    planned = StagedRun(recipe) if isinstance(recipe, StagedRecipe) else ScoresRun(recipe)
    splits = {}
    for split in recipe.data.test:
        made: Any = planned.experiment
        found = StagedSystems(made).evaluated(split) if staged else Systems(made).evaluated(split)
        compared = {
            baseline: rankdistill.compare(list(found.values()), baseline=found[baseline])
            for baseline in BASELINES
            if baseline in found
        }
        for baseline, results in compared.items():
            print(f"\n{split}, against {baseline}")
            for row in results.tables()[1].rows:
                print("  ", *row)
        first = next(iter(compared.values()))
        splits[split] = {
            "queries": first.queries,
            "systems": [system.model_dump(exclude={"latency_ms", "per_query"}) for system in first.systems],
            "comparisons": [one.model_dump() for results in compared.values() for one in results.comparisons],
            "test": first.signature["test"],
        }
    seconds = {step.name: Times(recipe.folder).of(step) for step in planned.steps()}
    content = {
        "recipe": recipe.model_dump(mode="json", exclude={"data": {"source"}}),
        "seconds": seconds,
        "splits": splits,
    }
    name = "main_job" if path == RECIPE else path.stem
    print(write_results(name, content, Path(recipe.data.source).name))


def of_recipe(overrides: Sequence[str], path: Path = RECIPE) -> Experiment:
    """The steps of the recipe with `overrides`, whose folders other benchmarks start from."""
    return Experiment(loading.expect(loading.load(path, overrides), Recipe))


def _names() -> str:
    return ", ".join(path.stem for path in sorted(RECIPES.glob("*.yaml")))


if __name__ == "__main__":
    main()

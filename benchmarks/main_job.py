"""The main job on a collection: recipes/msmarco_mini.yaml, with each pair of systems that matters tested.

    python -m benchmarks.main_job --data DIR [--set train.steps=100]

Writes benchmarks/results/main_job.json: every system's measures with intervals, and paired, Holm-corrected comparisons
with the student before training, with the contrastive student, and with BM25. Each student is trained once with each of
the recipe's seeds; the teacher is taught once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.provenance import parse, write_results
from rankdistill.evaluation import comparing, report
from rankdistill.recipe import loading
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.scores.systems import BM25, INITIAL, Systems, all_steps
from rankdistill.recipe.steps import Times

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes" / "msmarco_mini.yaml"
BASELINES = (INITIAL, "contrastive", BM25)


def main() -> None:
    """Run the recipe (what is done is not done again) and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", action="append", default=[])
    given = parse(parser)
    overrides = [f"data.source={given.data}", *given.set]
    sets = [word for override in overrides for word in ("--set", override)]
    subprocess.run([str(Path(sys.executable).parent / "rankdistill"), "run", str(RECIPE), *sets], check=True)

    experiment = of_recipe(overrides)
    recipe = experiment.recipe
    splits = {}
    for split in recipe.data.test:
        found = Systems(experiment).evaluated(split)
        compared = {baseline: comparing.compare(list(found.values()), found[baseline]) for baseline in BASELINES}
        for baseline, results in compared.items():
            print(f"\n{split}, against {baseline}")
            for row in report.comparison_rows(results, "ndcg_at_10")[1]:
                print("  ", *row)
        first = next(iter(compared.values()))
        splits[split] = {
            "queries": first.queries,
            "systems": [system.model_dump(exclude={"latency_ms", "per_query"}) for system in first.systems],
            "comparisons": [one.model_dump() for results in compared.values() for one in results.comparisons],
            "test": first.signature["test"],
        }
    seconds = {step.name: Times(experiment.root).of(step) for step in all_steps(experiment)}
    content = {
        "recipe": recipe.model_dump(mode="json", exclude={"data": {"source"}}),
        "seconds": seconds,
        "splits": splits,
    }
    print(write_results("main_job", content, Path(given.data).name))


def of_recipe(overrides: Sequence[str]) -> Experiment:
    """The steps of the recipe with `overrides`, whose folders other benchmarks start from."""
    return Experiment(loading.expect(loading.load(RECIPE, overrides), Recipe))


if __name__ == "__main__":
    main()

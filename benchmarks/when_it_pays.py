"""When distillation pays: objectives, teachers and starts, with equal texts and steps.

    python -m benchmarks.when_it_pays --data DIR --work WORK
    python -m benchmarks.when_it_pays --data DIR --work WORK --sets scifact,msmarco_mini --teachers dense --steps 200
    python -m benchmarks.when_it_pays --data DIR --work WORK --report

DIR holds the collections in BEIR layout. A cell is one student: a collection, a start (two layers of all-MiniLM-L6-v2
as they are cut, or aligned with its vectors first; or the query side of the aligned one alone, whose documents stay as
the whole model embeds them: `queries`), a teacher (BM25's scores; all-MiniLM-L6-v2; the best mean of it
and a two-layer SPLADE on `choice`; all-MiniLM-L6-v2 after it was trained on the same labels), an objective, a learning
rate and a seed. All cells of a collection have the same rows in the same order: the same queries, candidates and draw.
Training queries that are kept apart are the split `choice`: with the first seed each objective is trained once with
each of `--rates`, and the best rate there is that of the other seeds. The collections' own splits are only reported,
with paired tests (Holm) against contrastive training in the batch and against the start as it is.

Each cell is a folder of `--work`: a run that was interrupted goes on, and two at once share the work. `--only` takes
parts of objectives' names, and `=NAME` for one alone. `--report` trains nothing and prints what is done. Students are
removed when they are evaluated unless `--keep` is given.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from benchmarks import student_cells
from benchmarks.provenance import parse, write_results
from benchmarks.student_cells import QUERIES, STARTS, TEACHERS, Objective

MARGINS = {"loss": "margin_mse"}
OBJECTIVES: Mapping[str, Objective] = {
    "contrastive, own candidates": Objective({"loss": "contrastive", "contrastive_candidates": "own"}, taught=False),
    "contrastive": Objective({"loss": "contrastive"}, taught=False),
    "more alignment": Objective({}, taught=False, starts=("aligned", QUERIES), texts=True),
    "margin-mse": Objective(MARGINS),
    "margin-mse in batch": Objective(MARGINS, in_batch=True),
    "all margins in batch": Objective({"loss": "margin_mse_all"}, in_batch=True),
    "all margins in batch + alignment": Objective(
        {"loss": "margin_mse_all", "alignment_weight": 1.0}, in_batch=True, starts=("aligned",)
    ),
    "kl": Objective({"loss": "kl_div"}),
    "kl in batch": Objective({"loss": "kl_div"}, in_batch=True),
    "margin-mse + contrastive": Objective(MARGINS | {"contrastive_weight": 0.5}),
    "margin-mse in batch + contrastive": Objective(MARGINS | {"contrastive_weight": 0.5}, in_batch=True),
    "margin-mse in batch + alignment": Objective(
        MARGINS | {"alignment_weight": 1.0}, in_batch=True, starts=("aligned",)
    ),
}


def main() -> None:
    """Make what is missing, print the tables, and write benchmarks/results/when_it_pays_COLLECTION.json of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    student_cells.add_arguments(parser, TEACHERS, STARTS, "runs/when_it_pays")
    given = parse(parser)
    for name, cells in student_cells.run(given, OBJECTIVES):
        found = {**student_cells.asked(given), **cells.report()}
        print(write_results(f"when_it_pays_{name}", found, name))


if __name__ == "__main__":
    main()

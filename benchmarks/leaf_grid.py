"""nDCG@10 of aligned students over truncated dimensions x precision, beside random truncation and beside their teacher.

    python -m benchmarks.leaf_grid --data DIR --students STUDENTS [--split test] [--dimensions 384,256,128,64,32]

STUDENTS holds a folder a student. Each is measured with its teacher's documents and with its own.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from benchmarks.leaf_students import add_arguments, students_of
from benchmarks.provenance import parse, write_results
from rankdistill.data import load
from rankdistill.evaluation.embedded import Pairing
from rankdistill.evaluation.precisions import PRECISIONS
from rankdistill.evaluation.robustness import GridSettings, grid
from rankdistill.evaluation.robustness_result import Robustness, grid_rows
from rankdistill.evaluation.towers import Towers
from rankdistill.inference import TextEncoder


def main() -> None:
    """Measure every student and write benchmarks/results/leaf_grid_DATA.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--dimensions", default="384,256,128,64,32")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-length", type=int)
    add_arguments(parser)
    given = parse(parser)

    dataset = load(given.data, "lenient")
    teacher = TextEncoder(given.teacher, max_length=given.max_length)
    systems: list[Pairing] = []
    for name, path in students_of(given.students).items():
        towers = Towers(TextEncoder(path, max_length=given.max_length), teacher)
        shared = systems[0] if systems else None
        by_teacher, alone, asymmetric = towers.triangle(dataset, given.split, teacher=shared)
        systems += [] if shared else [by_teacher]
        systems += [Pairing(f"{name}, own documents", alone.queries, alone.documents)]
        systems += [Pairing(f"{name}, teacher's documents", asymmetric.queries, asymmetric.documents)]
    kept = tuple(int(number) for number in given.dimensions.split(","))
    settings = GridSettings(kept, tuple(given.precisions.split(",")), given.draws)
    cells = grid(systems, teacher.space.similarity, dataset.qrels(given.split), settings)
    result = Robustness(dataset.name, given.split, len(systems[0].queries.ids), len(systems[0].documents.ids), cells)
    header, rows = grid_rows(result)
    for row in (header, *rows):
        print(" | ".join(row))
    content = {"split": given.split, "settings": asdict(settings), "result": result.to_json()}
    print(write_results(f"leaf_grid_{given.data.name}", content, given.data.name))


if __name__ == "__main__":
    main()

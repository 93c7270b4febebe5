"""Recall@10 of approximate search for the queries of aligned students and of their teacher, on one index.

    python -m benchmarks.leaf_ann --data DIR --students STUDENTS [--split dev]

By HNSW's `efSearch` and by IVF's `nprobe`. STUDENTS holds a folder a student.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from benchmarks.leaf_students import add_arguments, students_of
from benchmarks.provenance import parse, write_results
from rankdistill.data import load
from rankdistill.evaluation.ann import parse_effort, recall_curves
from rankdistill.evaluation.ann_result import AnnRecall, curve_rows, needed_rows
from rankdistill.evaluation.embedded import Pairing
from rankdistill.evaluation.towers import Towers
from rankdistill.inference import TextEncoder

INDEXES = {"HNSW32": "efSearch=10,16,32,64,128,256,512", "IVF256,Flat": "nprobe=1,2,4,8,16,32,64,128"}
"""Factory string -> the parameter and its values."""


def main() -> None:
    """Measure every student on every index and write benchmarks/results/leaf_ann_DATA.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--factory", action="append", choices=INDEXES)
    add_arguments(parser)
    given = parse(parser)

    dataset = load(given.data, "lenient")
    teacher = TextEncoder(given.teacher, max_length=given.max_length)
    systems: list[Pairing] = []
    for name, path in students_of(given.students).items():
        towers = Towers(TextEncoder(path, max_length=given.max_length), teacher)
        by_teacher, asymmetric = towers.searchers(dataset, given.split, teacher=systems[0] if systems else None)
        systems += [] if systems else [by_teacher]
        systems.append(Pairing(name, asymmetric.queries, asymmetric.documents))
    content = {}
    for factory in given.factory or INDEXES:
        effort = parse_effort(INDEXES[factory])
        curves = recall_curves(systems, teacher.space.similarity, dataset.qrels(given.split), factory, effort)
        queries, documents = len(systems[0].queries.ids), len(systems[0].documents.ids)
        result = AnnRecall(dataset.name, given.split, queries, documents, factory, effort.name, curves)
        for header, rows in (curve_rows(result), needed_rows(result)):
            for row in (header, *rows):
                print(" | ".join(row))
        content[factory] = asdict(result) | {"ratios": result.ratios()}
    print(write_results(f"leaf_ann_{given.data.name}", content, given.data.name))


if __name__ == "__main__":
    main()

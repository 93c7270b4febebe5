"""Run every benchmark, one after the other.

    python -m benchmarks.run [--data DIR]

DIR holds the data sets in BEIR layout; the environment variable RANKDISTILL_DATA is its default.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BENCHMARKS = {
    "reproductions": ["reproductions.run", "--data", "{data}"],
    "dl19 pool": ["reproductions.dl19_pool", "--data", "{data}"],
    "encoding speed": ["speed.encode", "--data", "{data}/msmarco_mini"],
    "scoring speed": ["speed.score", "--data", "{data}/msmarco_mini"],
    "query latency": ["speed.query_latency", "--data", "{data}/msmarco_mini"],
    "search speed": ["speed.search", "--data", "{data}/msmarco_mini"],
    "leaf": ["leaf", "--data", "{data}"],
    "leaf grid": ["leaf_grid", "--data", "{data}/scifact"],
    "leaf ann": ["leaf_ann", "--data", "{data}/msmarco_mini"],
    "alignment speed": ["speed.align", "--data", "{data}/msmarco_mini"],
    "store memory": ["store.memory"],
    "embedding store": ["store.embeddings"],
    "gate": ["store.check"],
    "ensemble": ["store.ensemble"],
    "kill": ["store.kill", "--data", "{data}/msmarco_mini"],
    "kill writers": ["store.kill_writers", "--data", "{data}/msmarco_mini"],
    "main job": ["main_job", "--data", "{data}/msmarco_mini"],
}
"""Name -> script and arguments; a new benchmark is one line here."""


def main() -> None:
    """Run them; stops at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("RANKDISTILL_DATA"))
    parser.add_argument("--only", choices=BENCHMARKS, action="append")
    given = parser.parse_args()
    if not given.data or not Path(given.data).is_dir():
        parser.error("give --data DIR, or set RANKDISTILL_DATA, to the folder of the data sets")
    for name in given.only or BENCHMARKS:
        script, *arguments = BENCHMARKS[name]
        print(f"== {name}", flush=True)
        words = [argument.format(data=given.data) for argument in arguments]
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{script}", *words], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit(f"{name} failed")


if __name__ == "__main__":
    main()

"""Run every benchmark, one after the other.

    python -m benchmarks.run [--data DIR] [--work runs]

DIR holds the data sets in BEIR layout; the environment variable RANKDISTILL_DATA is its default. Benchmarks that can be
interrupted keep their work under `--work`. Some start from the teacher or the scores of the main job, which comes
before them. Environments of other servers, one for each of `benchmarks/serving/peers`, are looked for in the folder
RANKDISTILL_PEERS, or else in `--work`/venvs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import main_job
from rankdistill.recipe.steps import present

ROOT = Path(__file__).resolve().parents[1]

ON_MSMARCO = ["--data", "{data}/msmarco_mini"]
PEERS = ["--venvs", "{venvs}"]
"""Servers with libraries that exclude each other, each in DIR/NAME; those that are not there are left out."""

BENCHMARKS = {
    "reproductions": ["reproductions.run", "--data", "{data}"],
    "mteb results": [
        "reproductions.mteb_results",
        "--data",
        "{data}",
        "--published",
        "{data}/../published/mteb_results",
    ],
    "publication": ["publication", "--data", "{data}", "--work", "{work}/publication"],
    "evaluation overhead": [
        "evaluation_overhead",
        *("--data", "{data}/scifact", "--work", "{work}/evaluation_overhead"),
    ],
    "evaluation memory": ["evaluation_memory", "--work", "{work}/evaluation_memory"],
    "dl19 pool": ["reproductions.dl19_pool", "--data", "{data}"],
    "encoding speed": ["speed.encode", *ON_MSMARCO],
    "scoring speed": ["speed.score", *ON_MSMARCO],
    "query latency": ["speed.query_latency", *ON_MSMARCO],
    "shapes": ["speed.shapes"],
    "turns": ["speed.turns", "--data", "{data}/qrecc_dev2k"],
    "serving engine": ["speed.serving_engine", *ON_MSMARCO],
    "search speed": ["speed.search", *ON_MSMARCO],
    "filters": ["speed.filters", *ON_MSMARCO],
    "start": ["speed.start"],
    "scaling": ["speed.scaling"],
    "leaf": ["leaf", "--data", "{data}"],
    "unseen": ["unseen", "--data", "{data}", "--work", "{work}/unseen"],
    "leaf grid": ["leaf_grid", "--data", "{data}/scifact"],
    "size": ["size", "--data", "{data}", "--work", "{work}/size"],
    "leaf ann": ["leaf_ann", *ON_MSMARCO],
    "alignment speed": ["speed.align", *ON_MSMARCO],
    "gradient cache": ["speed.gradient_cache", *ON_MSMARCO],
    "server overhead": ["serving.overhead"],
    "engines": ["serving.engines", "--data", "{data}/scifact", "--work", "{work}/engines"],
    "engine client types": ["serving.client_types"],
    "search load": ["serving.search_load", "--data", "{data}/scifact"],
    "store memory": ["store.memory"],
    "memory": ["memory", "--work", "{work}/memory"],
    "embedding store": ["store.embeddings"],
    "gate": ["store.check"],
    "flips": ["flips", "--work", "{work}/flips"],
    "ensemble": ["store.ensemble"],
    "kill": ["store.kill", *ON_MSMARCO],
    "kill events": ["store.kill_events", "--work", "{work}/kill_events", "--most", "6"],
    "kill writers": ["store.kill_writers", *ON_MSMARCO],
    "served equals evaluated": ["serving.equality", "--data", "{data}/scifact", "--work", "{work}/serving"],
    "throughput": ["serving.throughput", "--data", "{data}/scifact", "--work", "{work}/serving", *PEERS],
    "static throughput": ["serving.static", "--data", "{data}/scifact", "--work", "{work}/serving"],
    "silent errors": ["serving.silent_errors", "--work", "{work}/serving", *PEERS],
    "main job": ["main_job", *ON_MSMARCO],
    "quickstart": ["main_job", "--recipe", "quickstart", "--set", "seeds=[13, 14, 15]"],
    "ensemble student": ["ensemble_student", *ON_MSMARCO, "--store", "{scores}", "--work", "{work}/ensemble"],
    "negatives": ["negatives", *ON_MSMARCO, "--teacher", "{teacher}", "--work", "{work}/negatives"],
    "sparse students": ["sparse_students", *ON_MSMARCO, "--work", "{work}/sparse_students"],
    "multi-vector students": [
        "multi_vector_students",
        *ON_MSMARCO,
        "--store",
        "{scores}",
        "--work",
        "{work}/multi_vector",
    ],
    "documents alone": ["documents_alone", "--data", "{data}", "--work", "{work}/documents_alone"],
    "kinds of queries": [
        "documents_alone",
        "--data",
        "{data}",
        "--work",
        "{work}/documents_alone",
        "--kinds",
        "--sets",
        "medquad,scifact,msmarco_mini",
    ],
    "serving faults": ["serving.faults"],
    "conversation": ["conversation", "--data", "{data}", "--work", "{work}/conversation"],
    "settings of DiSCo": [
        "conversation_settings",
        *("--data", "{data}", "--work", "{work}/conversation", "--first", "topiocqa"),
        *("--reads", "newest_first_questions"),
    ],
    "when it pays": ["when_it_pays", "--data", "{data}", "--work", "{work}/when_it_pays"],
    "losses": ["losses", "--data", "{data}", "--work", "{work}/when_it_pays"],
    "student peers": ["student_peers", "--data", "{data}", "--work", "{work}/student_peers", *PEERS],
}
"""Name -> script and arguments; a new benchmark is one line here."""


def main() -> None:
    """Run them; stops at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("RANKDISTILL_DATA"))
    parser.add_argument("--only", choices=BENCHMARKS, action="append")
    parser.add_argument("--work", type=Path, default=ROOT / "runs")
    given = parser.parse_args()
    if not given.data or not Path(given.data).is_dir():
        parser.error("give --data DIR, or set RANKDISTILL_DATA, to the folder of the data sets")
    for name in given.only or BENCHMARKS:
        print(f"== {name}", flush=True)
        script, *words = command(BENCHMARKS[name], given.data, given.work)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{script}", *words], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit(f"{name} failed")


def command(words: Sequence[str], data: str, work: Path) -> list[str]:
    """The script and its arguments, with their places filled in."""
    places: dict[str, Any] = {"data": data, "work": work, "venvs": os.environ.get("RANKDISTILL_PEERS", work / "venvs")}
    if any("{teacher}" in word or "{scores}" in word for word in words):
        experiment = main_job.of_recipe([f"data.source={data}/msmarco_mini"])
        places |= {"teacher": present(experiment.teacher)[0].folder, "scores": experiment.scores.folder}
    return [word.format(**places) for word in words]


if __name__ == "__main__":
    main()

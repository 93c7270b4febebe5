"""Kill every verb with SIGKILL right before each of its changes to its output, run it again, and compare the bytes.

    python -m benchmarks.store.kill_events [--only train --only index] [--most 40]

Collection and models are tiny, as what counts is the order of changes, not their size. For each verb the command runs
once without a kill; then, for each change, in a fresh folder: killed there, run again, compared. `--most` kills at so
many changes of a verb at most, spread evenly over all. Ends with 1 if one output differs or a second run fails.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from benchmarks.flips import flip
from benchmarks.provenance import parse, write_results
from benchmarks.store import tiny
from benchmarks.store.killing_events import PROGRAM, contents

PATIENCE = 300.0
HUB = "hf:"
"""Before a data set's name."""
LOADED = ["rankdistill.cli.main", "polars", "pyarrow.parquet", "torch", "sentence_transformers", "datasets", "faiss"]


@dataclass(frozen=True)
class Case:
    """A command that writes into `OUT`.

    Args:
        words: of the command line; `OUT` is its output, other words in capitals are what is made for all.
        needs: cases whose outputs it reads.
        begins: the case whose output lies in `OUT` before, one shard of it damaged and one lost; "" for none.
        status: with which the command ends.
    """

    words: str
    needs: Sequence[str] = field(default_factory=tuple)
    begins: str = ""
    status: int = 0


CASES: Mapping[str, Case] = {
    "data convert": Case("data convert --input DATA/corpus.jsonl --out OUT"),
    "data fetch": Case("data fetch hf:HUB --out OUT"),
    "mine": Case("mine --data DATA --depth 10 --out OUT"),
    "score": Case(
        "score --data DATA --teacher CE --candidates mine --backend torch --unit-size 40 --out OUT", needs=("mine",)
    ),
    "embed": Case("embed --data DATA --teacher ENCODER --backend torch --unit-size 40 --out OUT"),
    "import": Case(
        "import --format trec-run --input evaluate/run.trec --teacher-name run --data DATA --out OUT", ("evaluate",)
    ),
    "ensemble": Case("ensemble --store score --teachers cross-encoder --out OUT", ("score",)),
    "export": Case("export --data DATA --store score --format sentence-transformers --out OUT/rows.jsonl", ("score",)),
    "queries": Case("queries --data DATA --out OUT"),
    "index bm25": Case("index --data DATA --backend bm25 --out OUT"),
    "index exact": Case("index --data DATA --model ENCODER --backend exact --backend torch --shard-size 20 --out OUT"),
    "index HNSW": Case("index --data DATA --model ENCODER --factory HNSW8 --backend torch --out OUT"),
    "evaluate": Case("evaluate --data DATA --split test --model bm25 --out OUT"),
    "fuse": Case("fuse --runs evaluate,evaluate --data DATA --split test --out OUT", ("evaluate",)),
    "train": Case("train --data DATA --store score --student ENCODER --steps 4 --no-check --out OUT", ("score",)),
    "align": Case("train --embeddings embed --student ENCODER --steps 4 --out OUT", ("embed",)),
    "teach": Case("teach --data DATA --candidates mine --base CE --steps 4 --out OUT", ("mine",)),
    "repair": Case("verify OUT --repair --teacher CE", begins="score"),
    "evaluate model": Case("evaluate --data DATA --split test --model ENCODER --backend torch --out OUT"),
    "compare": Case("compare evaluate evaluate-model --out OUT", ("evaluate", "evaluate model")),
    "verdict": Case("verdict evaluate-model --bm25 evaluate --out OUT", ("evaluate", "evaluate model"), status=2),
    "bundle": Case("bundle --query-model align --document-model ENCODER --out OUT", ("align",)),
}


def main() -> None:
    """Run the cases; exits with 1 if one output differs."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--work", type=Path, default=Path("runs/kill_events"))
    made.add_argument("--only", action="append", choices=CASES)
    made.add_argument("--most", type=int, default=0)
    given = parse(made)
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    work = given.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    os.environ |= {"RANKDISTILL_CACHE": str(work / "cache"), "HF_DATASETS_CACHE": str(work / "datasets")}
    trials = Trials(work, context)
    trials.prepare()
    rows = [trials.of(name, given.most) for name in CASES if not given.only or name in given.only]
    kills, differ = (sum(int(row[one]) for row in rows) for one in ("kills", "different"))
    path = write_results("kill_events", {"verbs": rows, "kills": kills, "different": differ})
    print(f"{kills} kills in {len(rows)} verbs, {differ} outputs differ: {path}")
    sys.exit(bool(differ))


@dataclass
class Trials:
    """What the cases share: folders, and who starts processes."""

    work: Path
    context: multiprocessing.context.ForkServerContext

    @property
    def made(self) -> Path:
        """The folder with DATA, HUB, ENCODER and CE."""
        return self.work / "made"

    def prepare(self) -> None:
        """Make what the cases begin with."""
        tiny.collection(self.made / "DATA")
        tiny.hub(self.made / "HUB", self.made / "DATA")
        process = self.context.Process(target=tiny.models, args=(self.made / "ENCODER", self.made / "CE"))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit("the models cannot be made")

    def of(self, name: str, most: int) -> dict[str, object]:
        """Kill one case at its changes; what came of it."""
        whole = self.whole(name)
        ended = self.run(name, self.folder(name, "again"), 0) == CASES[name].status
        changes = int((self.work / "count").read_text()) if ended else 0
        if not changes:
            sys.exit(f"{name}: the command does not end well")
        step = max(1, -(-changes // most)) if most else 1
        told: list[str] = []
        killed = range(1, changes + 1, step)
        for at in killed:
            out = self.folder(name, "killed")
            if self.run(name, out, at) != -signal.SIGKILL:
                told.append(f"at {at}: it was not killed")
                continue
            if (status := self.run(name, out, 0)) != CASES[name].status:
                told.append(f"at {at}: the second run ends with {status}")
            elif found := differences(contents(out), contents(whole)):
                told.append(f"at {at}: {', '.join(found)}")
        print(f"{name}: {len(killed)} kills at {changes} changes, {len(told)} different", *told, sep="\n  ", flush=True)
        return {"verb": name, "changes": changes, "kills": len(killed), "different": len(told), "told": told}

    def folder(self, name: str, kind: str) -> Path:
        """An empty place for an output; each of a case is at the same path, which some artefacts hold."""
        place = self.work / kind / name.replace(" ", "-")
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.begin(name, place)
        return place

    def begin(self, name: str, place: Path) -> None:
        """Put there what the case begins with."""
        if begins := CASES[name].begins:
            shutil.copytree(self.whole(begins), place)
            damaged, lost, *_ = sorted(place.glob("scores/*/part-*"))[1:]
            flip(damaged, 60, 1)
            lost.unlink()

    def whole(self, name: str) -> Path:
        """The output without a kill, made once."""
        place = self.work / "whole" / name.replace(" ", "-")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            self.begin(name, place)
            if self.run(name, place, 0) != CASES[name].status:
                sys.exit(f"{name}: the command does not end well")
        return place

    def run(self, name: str, out: Path, at: int) -> int:
        """Run the case into `out`, killed before change `at` (0: not); its status."""
        case = CASES[name]
        for needed in case.needs:
            self.whole(needed)
        words = [self.word(one, out, case.needs) for one in case.words.split()]
        log = self.work / "log"
        self.work.mkdir(parents=True, exist_ok=True)
        given = [str(out), str(at), str(self.work / "count"), *words]
        process = self.context.Process(target=_run, args=(given, str(log), dict(os.environ)))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
        status = process.exitcode or 0
        if status not in (case.status, -signal.SIGKILL):
            print(log.read_text()[-1500:], flush=True)
        return status

    def word(self, word: str, out: Path, needs: Sequence[str]) -> str:
        """A word of the command line with its folder in the place of a name."""
        parts = []
        for one in word.removeprefix(HUB).split(","):
            first, slash, rest = one.partition("/")
            if first == "OUT":
                first = str(out)
            elif first in ("DATA", "HUB", "ENCODER", "CE"):
                first = str(self.made / first)
            elif found := [name for name in needs if name.replace(" ", "-") == first]:
                first = str(self.whole(found[0]))
            parts.append(first + slash + rest)
        return (HUB if word.startswith(HUB) else "") + ",".join(parts)


def differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Names of files that one has alone, or with other bytes."""
    return sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))


def _run(words: list[str], log: str, environment: dict[str, str]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["rankdistill", *words]
    module = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(PROGRAM, "<killed>", "exec"), vars(module))


if __name__ == "__main__":
    main()

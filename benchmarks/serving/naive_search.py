"""A search server as tutorials have it: sentence-transformers and a product of numpy in a FastAPI route.

    python -m benchmarks.serving.naive_search MODEL DATA --port PORT

`search_load` starts it. DATA holds a `corpus.jsonl`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

from rankdistill.models import resolve


class Search(BaseModel):
    """What is asked."""

    query: str
    k: int = 10


def main() -> None:
    """Encode the documents, then answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    model = SentenceTransformer(str(resolve(given.model).path), device="cpu")
    rows = [json.loads(line) for line in (given.data / "corpus.jsonl").read_text().splitlines()]
    vectors = model.encode([row["text"] for row in rows], normalize_embeddings=True)
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/search")
    def search(asked: Search) -> dict[str, Any]:
        scores = vectors @ model.encode(asked.query, normalize_embeddings=True)
        best = np.argpartition(-scores, asked.k)[: asked.k]
        best = best[np.argsort(-scores[best])]
        return {"hits": [{"id": rows[place]["_id"], "score": float(scores[place])} for place in best]}

    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()

"""fastembed (ONNX Runtime) in a FastAPI route."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from pydantic import BaseModel


class Request(BaseModel):
    """OpenAI's fields that it knows; FastAPI ignores others."""

    input: str | list[str]
    model: str = ""


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    TextEmbedding.add_custom_model(
        model="local/model",
        pooling=PoolingType.DISABLED,
        normalization=True,
        sources=ModelSource(hf="local/model"),
        dim=json.loads(Path(given.model, "config.json").read_text())["hidden_size"],
        model_file="onnx/model.onnx",
    )
    encoder = TextEmbedding("local/model", specific_model_path=given.model, threads=given.threads)
    app = FastAPI()

    @app.post("/v1/embeddings")
    def embeddings(request: Request) -> dict[str, Any]:
        texts = [request.input] if isinstance(request.input, str) else request.input
        rows = [row.tolist() for row in encoder.embed(texts)]
        data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
        return {"object": "list", "data": data, "model": request.model}

    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()

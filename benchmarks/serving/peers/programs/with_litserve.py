"""LitServe around ONNX Runtime and tokenizers, with its batching."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import litserve
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}

Texts = list[str]
Rows = list[list[float]]


class Embedder(litserve.LitAPI):
    """Encodes what waits as one batch; a request is one text or a list.

    Args:
        model: folder.
        threads: of ONNX Runtime.
        settings: of LitServe.
    """

    def __init__(self, model: str, threads: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.folder, self.threads = model, threads

    def setup(self, device: str) -> None:
        """Load the model, in the process that runs it."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        self.session = onnxruntime.InferenceSession(f"{self.folder}/onnx/model.onnx", options)
        self.tokenizer = Tokenizer.from_file(f"{self.folder}/tokenizer.json")
        length = json.loads(Path(self.folder, "tokenizer_config.json").read_text())["model_max_length"]
        self.tokenizer.enable_truncation(length)
        self.tokenizer.enable_padding()

    def decode_request(self, request) -> Texts:  # type: ignore[no-untyped-def]
        """The texts; LitServe would take an annotated argument for a parameter of the address."""
        texts = request["input"]
        return [texts] if isinstance(texts, str) else list(texts)

    def batch(self, inputs: list[Texts]) -> list[Texts]:
        """As they are."""
        return inputs

    def predict(self, batch: list[Texts]) -> list[Rows]:
        """The vectors of each request's texts."""
        read = self.tokenizer.encode_batch([text for texts in batch for text in texts])
        fields = {name: np.array([getattr(one, field) for one in read], np.int64) for name, field in FIELDS.items()}
        rows = iter(self.session.run(None, fields)[0].tolist())
        return [[next(rows) for _ in texts] for texts in batch]

    def unbatch(self, output: list[Rows]) -> list[Rows]:
        """As they are."""
        return output

    def encode_response(self, output: Rows) -> dict[str, Any]:
        """OpenAI's form."""
        data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(output)]
        return {"object": "list", "data": data}


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    api = Embedder(given.model, given.threads, max_batch_size=16, batch_timeout=0.002, api_path="/v1/embeddings")
    server = litserve.LitServer(api, accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=given.port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()

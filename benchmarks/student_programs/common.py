"""What the programs share: reading what is asked, and leaving what was made. Imports nothing of rankdistill."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def asked() -> dict[str, Any]:
    """The settings in the file that the command line names."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return found


def make(work: Callable[[dict[str, Any]], Any]) -> None:
    """Save what `work` gives for the settings, a SentenceTransformer, and say how many seconds it took."""
    import torch

    said = asked()
    torch.manual_seed(said["seed"])
    started = time.perf_counter()
    model = work(said)
    seconds = time.perf_counter() - started
    out = Path(said["out"])
    model.save_pretrained(str(out))
    (out / "seconds.json").write_text(json.dumps({"seconds": seconds}) + "\n")


def texts(said: dict[str, Any]) -> tuple[list[str], Any]:
    """The texts, and the teacher's vectors of them, float32[n, dim]."""
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(said["texts"])
    return table["text"].to_pylist(), np.array(table["vector"].to_pylist(), dtype=np.float32)


def static_model(table: Any, tokenizer: Any) -> Any:
    """A SentenceTransformer whose embedding is the mean of rows of `table`."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu")

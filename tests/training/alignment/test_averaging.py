"""Aligned students whose weights are no single step's."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from rankdistill.data import Dataset
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.run import align
from rankdistill.training.student import Student
from tests.training.alignment.conftest import MemoryEmbeddings
from tests.training.test_interrupted_runs import Steps, files_of, send


def log(out: Path) -> dict[str, Any]:
    return json.loads((out / "training_log.json").read_text())


def test_an_aligned_student_is_averaged_likewise(
    tiny_embeddings: MemoryEmbeddings,
    tiny_data: Dataset,
    tiny_encoder: str,
    tmp_path: Path,
) -> None:
    def start(name: str, **given: Any) -> Path:
        config = settings.read(
            None, steps=12, eval_steps=4, log_steps=4, batch_size=8, precision="float32", select="mean", average=2
        )
        options: dict[str, Any] = {"keep_layers": [0, 2], "dev": [Dev(tiny_data, "dev")]}
        return align(tiny_embeddings, tiny_encoder, tmp_path / name, config, **options | given)

    whole = start("whole")
    averaged = log(whole)["averaged"]
    assert averaged["steps"] == [8, 12]
    assert averaged.keys() - {"steps"} == log(whole)["monitor"][0].keys() - {"step"}
    (table,) = Student(whole).tables()
    assert table.header[-1] == "mean of steps 8, 12"
    with pytest.raises(KeyboardInterrupt):
        start("broken", progress=Steps(9, send(signal.SIGTERM)))
    assert files_of(start("broken")) == files_of(whole)

"""One small pipeline, made once: what `list`, `lineage` and `reproduce` look at."""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path

import pytest

import rankdistill as rd
from tests.conftest import write_tiny_beir


@pytest.fixture(scope="session")
def pipeline(tiny_encoder: str, tiny_cross_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA, MODEL, TEACHER, CANDIDATES, STORE, STUDENT, INDEX and EVALUATION, each with its command in the manifest."""
    folder = tmp_path_factory.mktemp("pipeline")
    with chdir(folder):
        write_tiny_beir(Path("DATA"))
        shutil.copytree(tiny_encoder, "MODEL")
        shutil.copytree(tiny_cross_encoder, "TEACHER")
        rd.mine("DATA", "CANDIDATES", depth=12, command="rankdistill mine --data DATA --depth 12 --out .")
        scored = "rankdistill score --data DATA --teacher TEACHER --candidates CANDIDATES --backend torch --out ."
        rd.score("DATA", "TEACHER", "CANDIDATES", "STORE", backend="torch", command=scored)
        trained = "rankdistill train --data DATA --store STORE --student MODEL --out ."
        settings = {"steps": 2, "batch_size": 4, "negatives": 2, "eval_steps": 2, "log_steps": 2, "check": "off"}
        rd.train("DATA", "STORE", "MODEL", "STUDENT", dev_split="dev", keep_layers=[0, 2], command=trained, **settings)
        indexed = "rankdistill index --data DATA --model STUDENT --factory exact --out ."
        rd.index("DATA", "STUDENT", "INDEX", factory="exact", backend="torch", command=indexed)
        measured = "rankdistill evaluate --data DATA --split test --index INDEX --out ."
        rd.evaluate("DATA", "STUDENT", "EVALUATION", index="INDEX", split="test", command=measured)
    return folder


@pytest.fixture
def inside(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pipeline's folder, as the working directory."""
    monkeypatch.chdir(pipeline)
    return pipeline

"""The verb `train`, as a user types it, on a store that the verbs before it made."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from rankdistill import data
from rankdistill.cli.train import train
from rankdistill.errors import ConfigError, DataError, GateError, ModelReferenceError
from rankdistill.mining import candidates
from rankdistill.mining.sources import named
from rankdistill.stores.writer import ScoreWriter
from tests.cli.verb import run_verb
from tests.stores.conftest import HashTeacher


@pytest.fixture
def store(tiny_beir: Path, tmp_path: Path) -> Path:
    """BM25 candidates of the train and the test queries with a checksum for a teacher."""
    dataset = data.load(tiny_beir)
    for split in ("train", "test"):
        candidates.build(tmp_path / split, dataset, split, [named("bm25")], 6)
        ScoreWriter(
            tmp_path / "store",
            queries=dataset.queries(),
            documents=dataset.contents,
            candidates=tmp_path / split / "candidates.parquet",
            teacher=HashTeacher(),
            dataset_fingerprint=dataset.fingerprint,
        ).run()
    return tmp_path / "store"


@pytest.fixture
def words(tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path) -> list[object]:
    """The line of the manual."""
    return ["--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--out", tmp_path / "student"]


def test_the_line_of_the_manual_works_and_a_second_time_does_nothing(words: list[object], tmp_path: Path) -> None:
    words += ["--keep-layers", "0,2", "--loss", "margin_mse", "--steps", 3, "--batch-size", 2]
    assert "student: " in run_verb(train, *words).stdout
    assert SentenceTransformer(str(tmp_path / "student"), device="cpu").encode("river").shape == (32,)
    assert "up to date" in run_verb(train, *words).stderr


def test_a_run_whose_steps_are_mostly_clipped_says_so(words: list[object], tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("max_gradient_norm: 1.0e-6\n")
    short = [*words, "--steps", 2, "--batch-size", 2, "--config", tmp_path / "train.yaml"]
    assert "clipped in 100% of the steps" in run_verb(train, *short).stderr
    assert "clipped in 100% of the steps" in run_verb(train, *short).stderr, "a finished run says it too"
    (tmp_path / "train.yaml").write_text("max_gradient_norm: 1.0e+6\n")
    assert "clipped" not in run_verb(train, *short, "--out", tmp_path / "other").stderr


def test_queries_of_other_splits_in_the_store_are_not_trained_on(words: list[object], tmp_path: Path) -> None:
    output = run_verb(train, *words, "--steps", 1, "--batch-size", 2).stdout
    assert "held out queries: 6" in output
    assert json.loads((tmp_path / "student/training_log.json").read_text())["view"]["queries"] <= 12


def test_a_store_of_queries_that_the_data_does_not_have_is_told_of(
    words: list[object], tiny_beir: Path, tmp_path: Path
) -> None:
    """Whether they belong to a test split cannot be told."""
    known = run_verb(train, *words, "--steps", 1, "--batch-size", 2).stdout
    assert "not in data" not in known
    other = tmp_path / "other"
    shutil.copytree(tiny_beir, other)
    for path in (other / "queries.jsonl", *(other / "qrels").iterdir()):
        path.write_text(re.sub(r"\bq(?=\d\d\b)", "other", path.read_text()))
    words[1], words[-1] = other, tmp_path / "foreign"
    assert "queries not in data: " in run_verb(train, *words, "--steps", 1, "--batch-size", 2).stdout


def test_every_flag_and_the_file_reach_the_run(words: list[object], tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("eval_steps: 2\nlog_steps: 1\nsteps: 99\nprecision: float32\n")
    flags = ["--loss", "kl_div", "--negatives", 2, "--sampling", "uniform", "--steps", 4, "--batch-size", 3]
    flags += ["--learning-rate", 0.001, "--scale", 9, "--seed", 5, "--dev-split", "dev", "--teacher", "hash-0"]
    output = run_verb(train, *words, *flags, "--config", tmp_path / "train.yaml").stdout
    assert "dev nDCG@10" in output
    parameters = json.loads((tmp_path / "student/manifest.json").read_text())["parameters"]
    expected = {"loss": "kl_div", "negatives": 2, "sampling": "uniform", "steps": 4, "batch_size": 3, "scale": 9.0}
    expected |= {"learning_rate": 0.001, "seed": 5, "dev_split": "dev", "teacher_id": "hash-0", "eval_steps": 2}
    assert {name: parameters[name] for name in expected} == expected


class SquashingTeacher(HashTeacher):
    """Gives logits after a sigmoid, as `CrossEncoder.predict` does."""

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None) -> np.ndarray:
        return 1 / (1 + np.exp(-super().score(pairs, progress)))


def test_squashed_scores_are_refused_unless_told(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    candidates.build(tmp_path / "mined", dataset, "train", [named("bm25")], 15)
    ScoreWriter(
        tmp_path / "squashed",
        queries=dataset.queries(),
        documents=dataset.contents,
        candidates=tmp_path / "mined" / "candidates.parquet",
        teacher=SquashingTeacher("squashing"),
        dataset_fingerprint=dataset.fingerprint,
    ).run()
    words = ["--data", tiny_beir, "--store", tmp_path / "squashed", "--student", tiny_encoder]
    words += ["--out", tmp_path / "student", "--steps", 1, "--batch-size", 2]
    with pytest.raises(GateError, match="--no-check"):
        run_verb(train, *words)
    assert "fail: saturation: " in run_verb(train, *words, "--no-check").stderr


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (["--loss", "hinge"], ConfigError, "loss"),
        (["--scale", "-3"], ConfigError, "scale"),
        (["--keep-layers", "0;2"], ConfigError, "layer numbers"),
        (["--keep-layers", "0,7"], ConfigError, "from 0 to 2"),
        (["--split", "none"], DataError, "'none'"),
        (["--dev-split", "none"], DataError, "'none'"),
        (["--student", "./nowhere"], ModelReferenceError, "no such folder"),
        (["--store", "./nowhere"], DataError, "rankdistill score"),
        (["--negatives", "500"], DataError, "fewer negatives"),
    ],
)
def test_bad_input_is_an_error_that_says_what_to_do(
    words: list[object], flags: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_verb(train, *words, *flags)

"""`train --embeddings`, as a user types it, on a store that `embed` made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from rankdistill import space
from rankdistill.cli.embed import embed
from rankdistill.cli.train import train
from rankdistill.errors import ConfigError, DataError, RankdistillError
from rankdistill.inference import TextEncoder
from tests.cli.verb import run_verb


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> Path:
    """Texts of a file, embedded by the tiny encoder."""
    folder = tmp_path_factory.mktemp("embedded")
    lines = [f"the {word} river is {other} {number}" for number, (word, other) in enumerate([("old", "deep")] * 60)]
    (folder / "texts.txt").write_text("\n".join(lines) + "\n")
    run_verb(embed, "--texts", f"document={folder}/texts.txt", "--teacher", tiny_encoder, "--out", folder / "store")
    return folder / "store"


@pytest.fixture
def words(embeddings: Path, tiny_encoder: str, tmp_path: Path) -> list[object]:
    """The line of the manual, short."""
    (tmp_path / "align.yaml").write_text("eval_steps: 2\nlog_steps: 1\nprecision: float32\nheld_out: 0\n")
    flags = ["--loss", "leaf", "--out", tmp_path / "student", "--config", tmp_path / "align.yaml", "--steps", 2]
    return ["--embeddings", embeddings, "--student", tiny_encoder, *flags]


def test_the_line_of_the_manual_works_and_a_second_time_does_nothing(
    words: list[object], tiny_encoder: str, tmp_path: Path
) -> None:
    words += ["--keep-layers", "0,2"]
    assert "student: " in run_verb(train, *words).stdout
    student = SentenceTransformer(str(tmp_path / "student"), device="cpu")
    assert student.transformers_model.config.num_hidden_layers == 2
    assert space.read(tmp_path / "student") == TextEncoder(tiny_encoder).space
    assert "up to date" in run_verb(train, *words).stderr


def test_a_static_student(words: list[object], tmp_path: Path) -> None:
    words[words.index("--student") + 1] = "static"
    assert "student: " in run_verb(train, *words).stdout
    assert SentenceTransformer(str(tmp_path / "student"), device="cpu").encode("river").shape == (32,)


def test_a_static_student_says_that_a_length_has_no_effect(words: list[object], tmp_path: Path) -> None:
    words[words.index("--student") + 1] = "static"
    (tmp_path / "train.yaml").write_text("max_document_length: 12\n")
    shown = run_verb(train, *words, "--config", tmp_path / "train.yaml").stderr
    assert "max_document_length 12 had no effect" in shown


def test_dev_splits_choose_the_step(words: list[object], tiny_beir: Path, tmp_path: Path) -> None:
    words += ["--dev-data", tiny_beir, "--dev-split", "dev", "--cycles", 2, "--seed", 4, "--batch-size", 4]
    assert "tiny/dev/asymmetric_ndcg_at_10" in run_verb(train, *words).stdout
    parameters = json.loads((tmp_path / "student/manifest.json").read_text())["parameters"]
    expected = {"cycles": 2, "seed": 4, "batch_size": 4, "loss": "leaf", "steps": 2, "dev": ["tiny/dev"]}
    assert {name: parameters[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (["--loss", "kl_div"], ConfigError, "loss"),
        (["--store", "scores"], RankdistillError, "--store"),
        (["--data", "beir", "--negatives", "3"], ConfigError, "--data, --negatives"),
        (["--dev-split", "dev"], ConfigError, "--dev-data"),
        (["--dev-data", "TINY", "--dev-split", "none"], DataError, "'none'"),
        (["--dev-data", "TINY", "--dev-split", "test"], ConfigError, "--allow-test"),
        (["--keep-layers", "0,7"], ConfigError, "from 0 to 2"),
        (["--embeddings", "./nowhere"], DataError, "rankdistill embed"),
    ],
)
def test_bad_input_is_an_error_that_says_what_to_do(
    words: list[object], tiny_beir: Path, flags: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_verb(train, *words, *(tiny_beir if flag == "TINY" else flag for flag in flags))


def test_one_of_both_stores_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--embeddings"):
        run_verb(train, "--student", "static", "--out", tmp_path / "student")
    with pytest.raises(ConfigError, match="--cycles"):
        run_verb(train, "--store", tmp_path, "--student", "s", "--out", tmp_path / "student", "--cycles", 2)

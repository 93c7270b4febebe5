"""The verb `train` from Python: paths or objects, settings as keywords, and the student that it gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.cli import console
from rankdistill.cli.train import train as command
from rankdistill.data import load
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError, DataError
from rankdistill.files import hash_file
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.reader import ScoreStore
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.config import TrainConfig
from rankdistill.training.student import Student
from tests.cli.test_ensemble import store as two_teachers
from tests.cli.test_train import store
from tests.cli.verb import run_verb

__all__ = ["store", "two_teachers"]  # fixtures

SHORT = {"steps": 2, "batch_size": 2, "log_steps": 1, "eval_steps": 2}


@pytest.fixture
def vectors(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> Path:
    """The tiny collection, embedded by the tiny encoder."""
    rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    return tmp_path / "vectors"


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def parameters(student: Student) -> dict[str, Any]:
    return dict(student.manifest.parameters)


def test_the_line_of_the_manual_gives_a_student_that_says_what_it_is(
    tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "student")
    student = rankdistill.train(str(tiny_beir), str(store), tiny_encoder, out, keep_layers=[0, 2], **SHORT)
    assert (type(student), repr(student)) == (Student, f"Student({out!r}: dense, trained with margin_mse)")
    assert Path(student) == Path(out)
    assert parameters(student)["keep_layers"] == [0, 2]
    assert f"student: {out}" in str(student).splitlines()
    assert "held out queries: 6" in student._repr_html_()
    assert student.to_polars()["step"].to_list() == [1, 2]
    assert student.to_pandas()["loss"].notna().all()
    assert json.loads(json.dumps(student.to_json()))["steps"] == 2
    assert student.open("torch").encode_queries(["a river"]).shape == (1, 32)
    assert capfd.readouterr().out == ""


def test_the_student_is_that_of_the_command(
    tiny_beir: Path, store: Path, vectors: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    collection, scores = load(tiny_beir), ScoreStore(store)
    words = ["--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--steps", 2, "--batch-size", 2]
    run_verb(command, *words, "--dev-split", "dev", "--out", tmp_path / "typed")
    settings: dict[str, Any] = {"steps": 2, "batch_size": 2, "dev_split": "dev", "command": console.command()}
    given = rankdistill.train(collection, scores, tiny_encoder, tmp_path / "called", **settings)
    assert content(given.path) == content(tmp_path / "typed")

    words = ["--embeddings", vectors, "--student", tiny_encoder, "--steps", 2, "--batch-size", 2]
    run_verb(command, *words, "--dev-data", tiny_beir, "--dev-split", "dev", "--out", tmp_path / "typed-aligned")
    aligned = rankdistill.train([collection], EmbeddingStore(vectors), tiny_encoder, tmp_path / "aligned", **settings)
    assert content(aligned.path) == content(tmp_path / "typed-aligned")


@pytest.mark.slow
def test_processes_that_train_together_all_get_the_student(
    tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    """Those that do not write it wait until it is written."""
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--out", tmp_path / "student"]
    line = [*together, "-m", "rankdistill.cli.main", "train", *words, "--steps", 2, "--batch-size", 2]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("student: ") == 2
    assert parameters(Student(tmp_path / "student"))["processes"] == 2


def test_dev_points_stand_beside_the_loss(tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path) -> None:
    student = rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "student", dev_split=["dev"], **SHORT)
    rows = student.to_polars()
    assert rows["step"].to_list() == [0, 1, 2]
    assert rows["loss"].null_count() == 1
    assert rows["dev_ndcg_at_10"].to_list()[0] == student.log["dev_ndcg_at_10"][0]["value"]
    assert "dev nDCG@10: " in str(student)


def test_vectors_align_with_or_without_dev_splits(
    tiny_beir: Path, vectors: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    alone = rankdistill.train(None, str(vectors), tiny_encoder, tmp_path / "alone", held_out=0, **SHORT)
    assert (alone.type, parameters(alone)["dev"], alone.tables()) == ("dense", [], [])
    watched = rankdistill.train(tiny_beir, vectors, "static", tmp_path / "watched", dev_split="dev", **SHORT)
    assert parameters(watched)["dev"] == ["tiny/dev"]
    assert parameters(watched)["learning_rate"] == 1e-3, "the default of static students"
    assert "tiny/dev/asymmetric_ndcg_at_10" in str(watched)
    assert "tiny/dev/asymmetric_ndcg_at_10" in watched.to_polars().columns
    assert "<table>" in watched._repr_html_()


def test_a_length_that_a_table_does_not_heed_is_noted(
    vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rankdistill.train(None, vectors, "static", tmp_path / "s", max_document_length=12, held_out=0, **SHORT)
    assert "max_document_length 12 had no effect" in caplog.text


def test_settings_win_over_a_file_and_over_an_object(
    tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    (tmp_path / "train.yaml").write_text("steps: 1\nbatch_size: 2\nseed: 5\n")
    of_file = rankdistill.train(
        tiny_beir, store, tiny_encoder, tmp_path / "a", config=tmp_path / "train.yaml", seed=7, batch_size=None
    )
    assert [parameters(of_file)[name] for name in ("steps", "batch_size", "seed")] == [1, 2, 7]
    chosen = TrainConfig(steps=1, batch_size=2, seed=5)
    of_object = rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "b", config=chosen, seed=7)
    assert parameters(of_object) == parameters(of_file)


def test_settings_of_an_object_keep_what_a_static_student_has_for_the_rest(vectors: Path, tmp_path: Path) -> None:
    chosen = AlignConfig(steps=1, held_out=0)
    student = rankdistill.train(None, vectors, "static", tmp_path / "static", config=chosen, batch_size=2)
    assert [parameters(student)[name] for name in ("steps", "batch_size", "learning_rate")] == [1, 2, 1e-3]


def test_missing_is_of_the_ensemble_where_there_is_one_and_else_of_the_run(
    tiny_beir: Path, two_teachers: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {**SHORT, "check": "off"}
    both = rankdistill.train(
        tiny_beir, two_teachers, tiny_encoder, tmp_path / "a", teachers=["alpha", "beta"], missing="intersect", **given
    )
    assert parameters(both)["derivation"]["missing"] == "intersect"
    assert parameters(both)["missing"] == "error"
    ensemble = Ensemble(ScoreStore(two_teachers), ["alpha", "beta"], missing="intersect")
    same = rankdistill.train(tiny_beir, ensemble, tiny_encoder, tmp_path / "b", **given)
    assert same.manifest.identity == both.manifest.identity
    one = rankdistill.train(
        tiny_beir, two_teachers, tiny_encoder, tmp_path / "c", teacher="beta-0", missing="drop", **given
    )
    assert parameters(one)["missing"] == "drop"
    words = ["--data", tiny_beir, "--store", two_teachers, "--student", tiny_encoder, "--teacher", "beta-0"]
    run_verb(command, *words, "--missing", "drop", "--no-check", "--steps", 1, "--out", tmp_path / "d")
    assert parameters(Student(tmp_path / "d"))["missing"] == "drop"


def test_progress_counts_the_steps_and_a_second_time_tells_that_nothing_was_done(
    tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    caplog.set_level("INFO", "rankdistill")
    given: tuple[Any, ...] = (tiny_beir, store, tiny_encoder, tmp_path / "student")
    rankdistill.train(*given, progress=done.append, **SHORT)
    assert sum(done) == 2
    assert "up to date" not in caplog.text
    rankdistill.train(*given, progress=True, **SHORT)
    assert "student is up to date" in caplog.text


@pytest.mark.parametrize(
    ("data", "named", "message"),
    [
        (None, {}, "no data"),
        (["DATA", "DATA"], {}, "2 collections"),
        ("DATA", {"dev_split": ["dev", "test"]}, "one dev_split"),
        ("DATA", {"cycles": 2}, "cycles"),
        ("DATA", {"dev_split": "test"}, "--allow-test"),
        ("DATA", {"config": AlignConfig()}, "a AlignConfig"),
        ("DATA", {"stps": 2}, "steps is meant"),
        ("DATA", {"keep_layer": [0]}, "keep_layers is meant"),
        ("DATA", {"path": "x", "kind": "y"}, "path, kind"),
        ("DATA", {"loss": "leaf"}, "loss"),
        ("DATA", {"keep_layers": "0,2"}, "keep_layers of train"),
        ("DATA", {"progress": 3}, "progress"),
        (7, {}, "data of train"),
        ("DATA", {"missing": "impute"}, "--missing without --teachers"),
        ("DATA", {"missing": "some"}, "missing"),
        ("DATA", {"weights": [1.0]}, "--weights without --teachers"),
        ("DATA", {"teacher": "hash-0", "teachers": ["hash-0"]}, "--teacher and --teachers"),
    ],
)
def test_what_does_not_fit_scores_is_refused(
    data: Any, named: dict[str, Any], message: str, tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    given = [tiny_beir, tiny_beir] if isinstance(data, list) else tiny_beir if data == "DATA" else data
    with pytest.raises(ConfigError, match=message):
        rankdistill.train(given, store, tiny_encoder, tmp_path / "student", **named)
    assert not (tmp_path / "student/manifest.json").exists()


@pytest.mark.parametrize(
    ("data", "named", "message"),
    [
        ("DATA", {}, "1 collections .* and 0 dev splits"),
        (None, {"dev_split": "dev"}, "0 collections"),
        (None, {"split": "train", "negatives": 3}, "negatives, split"),
        (None, {"teachers": ["a"], "missing": "impute"}, "teachers, missing"),
        (None, {"config": TrainConfig()}, "a TrainConfig"),
        ("DATA", {"dev_split": "test"}, "allow it"),
        (None, {"loss": "margin_mse"}, "loss"),
    ],
)
def test_what_does_not_fit_vectors_is_refused(
    data: Any, named: dict[str, Any], message: str, tiny_beir: Path, vectors: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        rankdistill.train(tiny_beir if data else None, vectors, "static", tmp_path / "student", **named)
    assert not (tmp_path / "student/manifest.json").exists()


def test_an_ensemble_takes_no_settings_of_another(
    tiny_beir: Path, two_teachers: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    ensemble = Ensemble(ScoreStore(two_teachers), ["alpha", "beta"], missing="intersect")
    for named in ({"teachers": ["alpha"]}, {"calibrate": "rank"}, {"missing": "impute"}, {"teacher": "alpha"}):
        with pytest.raises(ConfigError, match="beside an ensemble"):
            rankdistill.train(tiny_beir, ensemble, tiny_encoder, tmp_path / "student", **named)


def test_a_place_without_a_store_is_told_with_what_makes_one(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rankdistill score` or `rankdistill embed"):
        rankdistill.train(tiny_beir, tmp_path / "nowhere", "static", tmp_path / "student")
    rankdistill.mine(tiny_beir, tmp_path / "mined", depth=3)
    with pytest.raises(DataError, match="it holds 'candidates'"):
        rankdistill.train(tiny_beir, tmp_path / "mined", "static", tmp_path / "student")


def test_a_folder_that_is_no_student(tmp_path: Path, tiny_encoder: str) -> None:
    with pytest.raises(DataError, match="rankdistill train"):
        Student(tiny_encoder)


def test_the_form_of_a_student_is_an_argument_in_both_kinds_of_training(
    tiny_beir: Path, store: Path, vectors: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    form: dict[str, Any] = {"vocabulary": 90, "storage": "float16", **SHORT}
    scored = rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "scored", **form)
    assert {name: parameters(scored)[name] for name in ("vocabulary", "storage")} == {
        "vocabulary": 90,
        "storage": "float16",
    }
    said: dict[str, Any] = {"preparation": {"keep_layers": [0, 2], "vocabulary": 95}}
    aligned = rankdistill.train(None, vectors, tiny_encoder, tmp_path / "aligned", config=AlignConfig(**said), **form)
    found = parameters(aligned)["preparation"]
    assert (found["keep_layers"], found["vocabulary"], found["storage"]) == ([0, 2], 90, "float16")
    assert aligned.log["stored"]["bytes"] < 150_000
    assert "stored as float16" in str(aligned)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"storage": "int2"}, "storage"),
        ({"vocabulary": 0}, "vocabulary"),
        ({"max_mb": -1.0}, "max_mb"),
        ({"max_mb": 5}, "a dev split"),
    ],
)
def test_a_form_that_cannot_be_is_refused_before_anything_runs(
    given: dict[str, Any], said: str, tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "out", **given)

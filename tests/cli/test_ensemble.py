"""The verb `ensemble`, and training on an ensemble, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.cli.ensemble import ensemble
from rankdistill.cli.train import train
from rankdistill.errors import ConfigError, DataError, StaleOutputError, StoreError
from rankdistill.mining import candidates
from rankdistill.mining.sources import named
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from tests.cli.verb import Run, run_verb
from tests.stores.conftest import HashTeacher


@pytest.fixture
def store(tiny_beir: Path, tmp_path: Path) -> Path:
    """Two teachers of the train and test queries; the second looked at fewer documents."""
    dataset = data.load(tiny_beir)
    for name, kind, depth in (("alpha", "logit", 8), ("beta", "cosine", 6)):
        teacher = HashTeacher(name)
        teacher.score_kind = kind
        for split in ("train", "test"):
            folder = tmp_path / f"{split}-{depth}"
            candidates.build(folder, dataset, split, [named("bm25")], depth)
            ScoreWriter(
                tmp_path / "store",
                queries=dataset.queries(),
                documents=dataset.contents,
                candidates=folder / "candidates.parquet",
                teacher=teacher,
                dataset_fingerprint=dataset.fingerprint,
            ).run()
    return tmp_path / "store"


@pytest.fixture
def words(store: Path) -> list[object]:
    """The line of the manual, without its policy."""
    return ["--store", store, "--teachers", "alpha,beta", "--calibrate", "zscore"]


def test_the_line_of_the_manual_prints_teachers_ensemble_and_leave_one_out(
    words: list[object], tiny_beir: Path
) -> None:
    output = run_verb(ensemble, *words, "--missing", "intersect", "--eval-data", tiny_beir, "--split", "test").stdout
    assert "6 of 6 queries; zscore, intersect" in output
    assert {"nDCG@10", "difference", "ensemble", "alpha", "beta"} <= set(output.split())
    assert output.split().count("without") == 2
    assert "beta lacks" in output
    assert "dropped" in output


def test_fitted_weights_go_into_the_store_that_is_written(words: list[object], tiny_beir: Path, tmp_path: Path) -> None:
    flags = ["--missing", "impute", "--eval-data", tiny_beir, "--fit", "--out", tmp_path / "out", "--name", "both"]
    output = run_verb(ensemble, *words, *flags).stdout
    assert "weights, with their range over the folds" in output
    assert "imputed" in output
    fingerprint = ScoreStore(tmp_path / "out").fingerprint("both")
    assert sum(fingerprint["weights"].values()) == pytest.approx(1.0)
    assert fingerprint["weights"] != {"alpha-0": 0.5, "beta-0": 0.5}
    assert fingerprint["coverage"]["imputed"] > 0


def test_a_student_trains_on_an_ensemble_and_its_manifest_says_so(
    words: list[object], tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    run = ["--data", tiny_beir, *words, "--missing", "intersect", "--weights", "2,1", "--student", tiny_encoder]
    run += ["--steps", 1, "--batch-size", 2, "--no-check"]
    run_verb(train, *run, "--out", tmp_path / "student")
    parameters = json.loads((tmp_path / "student/manifest.json").read_text())["parameters"]
    assert parameters["teacher_id"].startswith("ensemble-")
    derivation = parameters["derivation"]
    assert derivation["weights"] == pytest.approx({"alpha-0": 2 / 3, "beta-0": 1 / 3})
    assert derivation["coverage"]["dropped"] == derivation["coverage"]["missing"]["beta-0"] > 0


@pytest.mark.parametrize(("type_", "loss"), [("splade", "splade_v3"), ("inference-free", "kl")])
def test_a_sparse_student_trains_on_an_ensemble(
    type_: str, loss: str, words: list[object], tiny_beir: Path, tiny_splade: str, tmp_path: Path, rankdistill: Run
) -> None:
    out = tmp_path / "student"
    run = ["train", "--data", tiny_beir, *words, "--missing", "impute", "--reference", "alpha", "--student"]
    run += [tiny_splade, "--type", type_, "--loss", loss, "--steps", 2, "--batch-size", 2, "--out", out]
    status, shown = rankdistill(*run)
    assert (status, "student: " in shown) == (0, True), shown
    parameters = json.loads((out / "manifest.json").read_text())["parameters"]
    assert (parameters["type"], parameters["derivation"]["reference"]) == (type_, "alpha-0")
    assert parameters["derivation"]["coverage"]["imputed"] > 0
    assert rankdistill("index", "--data", tiny_beir, "--model", out, "--out", tmp_path / "index")[0] == 0
    assert json.loads((tmp_path / "index/manifest.json").read_text())["parameters"]["kind"] == "sparse"


def test_a_student_of_the_written_store_is_that_of_the_ensemble(
    words: list[object], tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    words += ["--missing", "intersect"]
    rest = ["--data", tiny_beir, "--student", tiny_encoder, "--steps", 1, "--batch-size", 2, "--no-check"]
    run_verb(ensemble, *words, "--out", tmp_path / "written")
    run_verb(train, *words, *rest, "--out", tmp_path / "read")
    run_verb(train, "--store", tmp_path / "written", *rest, "--out", tmp_path / "stored")
    hashes = [json.loads((tmp_path / name / "manifest.json").read_text())["inputs"] for name in ("read", "stored")]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (["--teachers", "alpha,nobody"], StoreError, "'nobody'"),
        (["--teachers", "alpha,,beta"], ConfigError, "commas between them"),
        (["--teachers", "alpha,alpha"], ConfigError, "each once"),
        (["--calibrate", "softmax"], ConfigError, "zscore"),
        (["--calibrate", "none"], ConfigError, "a logit and a rank"),
        (["--calibrate", "affine"], ConfigError, "reference teacher"),
        (["--missing", "skip"], ConfigError, "intersect"),
        (["--missing", "error"], StoreError, "beta lacks"),
        (["--weights", "1,2,3"], ConfigError, "2 weights"),
        (["--weights", "1;2"], ConfigError, "numbers with commas"),
        (["--weights", "0,0"], ConfigError, "not all 0"),
        (["--split", "none"], DataError, "'none'"),
        (["--split", "dev"], DataError, "none of its 6 queries"),
        (["--store", "./nowhere"], DataError, "rankdistill score"),
    ],
)
def test_bad_input_is_an_error_that_says_what_to_do(
    words: list[object], tiny_beir: Path, flags: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_verb(ensemble, *words, "--missing", "impute", "--eval-data", tiny_beir, "--split", "test", *flags)


def test_nothing_to_do_is_an_error(words: list[object], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither --eval-data nor --out"):
        run_verb(ensemble, *words)
    with pytest.raises(ConfigError, match="--fit without"):
        run_verb(ensemble, *words, "--fit", "--out", tmp_path / "out")


def test_the_store_itself_is_no_output(words: list[object], store: Path) -> None:
    before = (store / "manifest.json").read_bytes()
    with pytest.raises(StaleOutputError, match="alpha-0, beta-0"):
        run_verb(ensemble, *words, "--missing", "impute", "--out", store)
    assert (store / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--calibrate", "rank"], "--calibrate without --teachers"),
        (["--weights", "1,2"], "--weights without --teachers"),
        (["--teachers", "alpha,beta", "--teacher", "alpha"], "--teacher and --teachers"),
    ],
)
def test_train_takes_one_teacher_or_an_ensemble(
    store: Path, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, flags: list[str], message: str
) -> None:
    words = ["--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--out", tmp_path / "student"]
    with pytest.raises(ConfigError, match=message):
        run_verb(train, *words, *flags)


def test_a_damaged_shard_gives_a_message_and_no_output(rankdistill: Run, words: list[object], store: Path) -> None:
    shard = sorted((store / "scores/beta-0").iterdir())[0]
    shard.write_bytes(shard.read_bytes()[:-8])
    status, shown = rankdistill("ensemble", *words, "--missing", "impute", "--out", store.parent / "out")
    assert status == 1
    assert shard.name in shown
    assert "Traceback" not in shown
    assert not (store.parent / "out/manifest.json").exists()

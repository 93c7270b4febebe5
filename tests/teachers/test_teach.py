"""Teaching: a plain cross-encoder folder comes out, resumed runs equal uninterrupted ones, labels are respected."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer

from rankdistill import data
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.mining import candidates as mined
from rankdistill.mining.sources import named
from rankdistill.teachers import load
from rankdistill.teachers.teach import CHECKPOINTS, Dev, teach
from rankdistill.teachers.teaching import groups
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.teachers.teaching.training_log import LOG_FILE
from tests import arguana

CONFIG = TeachConfig(negatives=3, steps=8, batch_size=4, learning_rate=2e-3, max_length=48, bf16=False, evaluations=4)


@pytest.fixture
def candidates(tiny_beir: Path, tmp_path: Path) -> dict[str, Path]:
    """BM25 candidates of the train and dev splits."""
    dataset = data.load(tiny_beir)
    folders = {split: tmp_path / f"candidates-{split}" for split in ("train", "dev")}
    for split, folder in folders.items():
        mined.build(folder, dataset, split, [named("bm25", None, None)], 12)
    return folders


@pytest.mark.parametrize("loss", ["ranknet", "bce"])
def test_the_teacher_is_a_plain_cross_encoder_with_identity_activation(
    loss: str, tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    out = tmp_path / "teacher"
    config = TeachConfig(**{**CONFIG.__dict__, "loss": loss})
    dataset = data.load(tiny_beir)
    assert teach(dataset, "train", candidates["train"], tiny_encoder, out, config, dev=Dev("dev", candidates["dev"]))
    model = CrossEncoder(str(out), device="cpu")
    assert isinstance(model.activation_fn, torch.nn.Identity)
    pairs = [("what is the old river 3", "river 3 the river is deep"), ("bread", "the engine is small")]
    np.testing.assert_allclose(load(str(out), backend="torch").score(pairs), model.predict(pairs), atol=1e-5)
    assert model.max_seq_length == CONFIG.max_length, "it reads in use what it read in training"
    assert json.loads((out / "tokenizer_config.json").read_text())["model_max_length"] == CONFIG.max_length
    assert Tokenizer.from_file(str(out / "tokenizer.json")).truncation["max_length"] == CONFIG.max_length
    log = json.loads((out / LOG_FILE).read_text())
    assert [entry["step"] for entry in log["dev_ndcg@10"]] == [0, 2, 4, 6, 8]
    assert 0 < log["clipped_steps"] <= 1
    assert not (out / CHECKPOINTS).exists()


def test_a_finished_teacher_is_kept_and_other_settings_are_refused(
    tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    dataset, out = data.load(tiny_beir), tmp_path / "teacher"
    config = TeachConfig(**{**CONFIG.__dict__, "steps": 1})
    assert teach(dataset, "train", candidates["train"], tiny_encoder, out, config)
    assert not teach(dataset, "train", candidates["train"], tiny_encoder, out, config)
    (out / CHECKPOINTS / "abc" / "checkpoint-1").mkdir(parents=True)  # as a kill behind the manifest leaves it
    assert not teach(dataset, "train", candidates["train"], tiny_encoder, out, config)
    assert not (out / CHECKPOINTS).exists()
    with pytest.raises(StaleOutputError, match="negatives"):
        teach(
            dataset,
            "train",
            candidates["train"],
            tiny_encoder,
            out,
            TeachConfig(**{**config.__dict__, "negatives": 2}),
        )


def test_a_resumed_run_gives_the_same_weights_and_log(
    tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop_in_step_five(queries: int) -> None:
        done.append(queries)
        if sum(done) >= 5 * CONFIG.batch_size:
            raise StopError

    done: list[int] = []
    dataset = data.load(tiny_beir)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    teach(dataset, "train", candidates["train"], tiny_encoder, whole, CONFIG)
    with pytest.raises(StopError):
        teach(dataset, "train", candidates["train"], tiny_encoder, parts, CONFIG, progress=stop_in_step_five)
    resumed: list[int] = []
    teach(dataset, "train", candidates["train"], tiny_encoder, parts, CONFIG, progress=resumed.append)
    assert resumed[0] == 4 * CONFIG.batch_size, "it goes on from the checkpoint of step 4"
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert (parts / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes()


def test_a_run_that_is_killed_behind_its_last_step_saves_the_same_tokeniser(
    tiny_beir: Path,
    tiny_encoder: str,
    candidates: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = data.load(tiny_beir)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    teach(dataset, "train", candidates["train"], tiny_encoder, whole, CONFIG)
    with monkeypatch.context() as patched:
        patched.setattr("rankdistill.teachers.teach._save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            teach(dataset, "train", candidates["train"], tiny_encoder, parts, CONFIG)
    teach(dataset, "train", candidates["train"], tiny_encoder, parts, CONFIG)
    for path in whole.rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert path.read_bytes() == (parts / path.relative_to(whole)).read_bytes(), path.name


@pytest.mark.parametrize("step", [2, 4, 8])
def test_a_run_told_to_stop_is_finished_to_the_same_bytes(
    step: int, tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    """A checkpoint and a point of the loss curve every third step; the signal comes between, and at the end."""
    config = replace(CONFIG, evaluations=3)
    dataset, dev = data.load(tiny_beir), Dev("dev", candidates["dev"])

    def taught(name: str, progress: Callable[[int], None] | None = None) -> Path:
        teach(dataset, "train", candidates["train"], tiny_encoder, tmp_path / name, config, dev=dev, progress=progress)
        return tmp_path / name

    def terminate(queries: int) -> None:
        done.append(queries)
        if sum(done) == step * config.batch_size:
            os.kill(os.getpid(), signal.SIGTERM)

    done: list[int] = []
    whole = taught("whole")
    assert [point["step"] for point in json.loads((whole / LOG_FILE).read_text())["loss"]] == [3, 6]
    with pytest.raises(KeyboardInterrupt):
        taught("broken", terminate)
    resumed: list[int] = []
    again = taught("broken", resumed.append)
    assert resumed[0] == step * config.batch_size
    for path in whole.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(whole)).read_bytes(), path.name


@pytest.mark.parametrize("loss", ["ranknet", "bce"])
def test_pairs_are_learned_with_the_prompt_that_they_will_be_scored_with(
    loss: str,
    tiny_beir: Path,
    tiny_cross_encoder: str,
    candidates: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sentence_transformers import CrossEncoder

    base = CrossEncoder(tiny_cross_encoder, device="cpu", prompts={"rank": "deep "}, default_prompt_name="rank")
    base.save_pretrained(str(tmp_path / "base"), create_model_card=False)
    read: list[str | None] = []
    own = CrossEncoder.preprocess

    def watched(self: CrossEncoder, pairs: list[tuple[str, str]], **options: str | None) -> object:
        read.append(options.get("prompt"))
        return own(self, pairs, **options)

    monkeypatch.setattr(CrossEncoder, "preprocess", watched)
    config = replace(CONFIG, steps=2, loss=loss)
    teach(data.load(tiny_beir), "train", candidates["train"], str(tmp_path / "base"), tmp_path / "teacher", config)
    assert set(read) == {"deep "}
    assert load(str(tmp_path / "teacher"), backend="torch").fingerprint["prompt"] == "deep "


@pytest.mark.parametrize("cut", ["", '{"global_step": '])
def test_a_half_written_checkpoint_is_passed_over(
    cut: str, tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(queries: int) -> None:
        done.append(queries)
        if sum(done) == 5 * CONFIG.batch_size:
            raise StopError

    done: list[int] = []
    given = (data.load(tiny_beir), "train", candidates["train"], tiny_encoder)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    teach(*given, whole, CONFIG)
    with pytest.raises(StopError):
        teach(*given, parts, CONFIG, progress=stop)
    (folder,) = (parts / CHECKPOINTS).iterdir()
    (folder / "checkpoint-5").mkdir()
    if cut:
        (folder / "checkpoint-5" / "trainer_state.json").write_text(cut)
    teach(*given, parts, CONFIG)
    assert (parts / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes()


def test_labels_of_other_splits_keep_negatives_out_and_are_named_only_then(
    tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "teacher"
    teach(data.load(tiny_beir), "train", candidates["train"], tiny_encoder, out, CONFIG)
    assert "known_positives" not in json.loads((out / "manifest.json").read_text())["inputs"]
    table = pl.read_parquet(candidates["train"] / "candidates.parquet")
    query_id, doc_id = table.filter(pl.col("label").is_null()).select("query_id", "doc_id").row(0)
    with (tiny_beir / "qrels" / "dev.tsv").open("a") as qrels:
        qrels.write(f"{query_id}\t{doc_id}\t1\n")
    with pytest.raises(StaleOutputError, match="known_positives"):
        teach(data.load(tiny_beir), "train", candidates["train"], tiny_encoder, out, CONFIG)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_candidates_of_another_collection_are_refused_before_anything_is_taught(
    split: str, tiny_beir: Path, tiny_encoder: str, candidates: dict[str, Path], tmp_path: Path
) -> None:
    gone = pl.read_parquet(candidates[split] / "candidates.parquet")["doc_id"][0]
    corpus = tiny_beir / "corpus.jsonl"
    lines = corpus.read_text().splitlines()
    corpus.write_text("\n".join(line for line in lines if json.loads(line)["_id"] != gone) + "\n")
    dataset, dev = data.load(tiny_beir, "lenient"), Dev("dev", candidates["dev"])
    with pytest.raises(DataError, match=rf"(?s)documents of .*{gone}"):
        teach(dataset, "train", candidates["train"], tiny_encoder, tmp_path / "out", CONFIG, dev=dev)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_querys_own_document_and_absent_positives_are_no_rows(
    tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates that were mined with the document are taught without it; a judged document without a text is none."""
    folder = arguana.write(tmp_path / "arguana")
    kept = data.load(folder, ignore_identical_ids=False)
    mined.build(tmp_path / "c", kept, "test", [named("bm25", None, None)], 24)
    dataset = data.load(folder)
    seen = []
    positives = groups.positives

    def spy(*given: object) -> list[groups.Positive]:
        seen[:] = positives(*given)  # type: ignore[arg-type]
        return list(seen)

    monkeypatch.setattr(groups, "positives", spy)
    config = TeachConfig(**{**CONFIG.__dict__, "steps": 1, "evaluations": 1})
    assert teach(dataset, "test", tmp_path / "c", tiny_encoder, tmp_path / "t", config, dev=Dev("test", tmp_path / "c"))
    assert len(seen) == 11
    assert not any(one.query in text for one in seen for text in one.negatives)

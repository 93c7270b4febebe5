"""The verb `teach` from Python: settings, the teacher that it gives, and that it is the command line's."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

import rankdistill as rd
from rankdistill import data
from rankdistill.errors import ConfigError, DataError, WorseTeacherError
from rankdistill.mining.candidates import Candidates
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.taught import TaughtTeacher
from rankdistill.teachers.teach import teach as teach_in_library
from rankdistill.teachers.teaching.config import TeachConfig
from tests.cli.verb import run_verb
from tests.verbs.files import contents

SETTINGS: dict[str, Any] = {"steps": 2, "batch_size": 4, "negatives": 2, "max_length": 32, "bf16": False}


def test_keywords_a_file_an_object_and_flags_make_the_same_teacher(
    tiny_beir: Path, tiny_encoder: str, mined: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.cli import console
    from rankdistill.cli.teach import teach

    command = "rankdistill teach --out ."
    (tmp_path / "teach.yaml").write_text(yaml.safe_dump(SETTINGS | {"steps": 9}))
    rd.teach(str(tiny_beir), str(mined.path), tiny_encoder, str(tmp_path / "keywords"), command=command, **SETTINGS)
    rd.teach(
        data.load(tiny_beir),
        mined,
        Path(tiny_encoder),
        tmp_path / "object",
        config=TeachConfig(**SETTINGS),
        command=command,
    )
    config = tmp_path / "teach.yaml"
    rd.teach(tiny_beir, mined, tiny_encoder, tmp_path / "file", config=config, steps=2, loss=None, command=command)
    monkeypatch.setattr(console, "command", lambda leave_out=(): command)
    flags = ["--data", tiny_beir, "--candidates", mined.path, "--base", tiny_encoder, "--config", config, "--steps", 2]
    run_verb(teach, *flags, "--out", tmp_path / "flags")
    teach_in_library(
        data.load(tiny_beir),
        "train",
        mined.path,
        tiny_encoder,
        tmp_path / "library",
        TeachConfig(**SETTINGS),
        command=command,
    )
    wanted = contents(tmp_path / "library")
    assert "model.safetensors" in wanted
    for name in ("keywords", "object", "file", "flags"):
        assert contents(tmp_path / name) == wanted, name


def test_a_teacher_tells_its_figures_and_scores_as_a_teacher(
    tiny_beir: Path, tiny_encoder: str, mined: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from rankdistill.cli.teach import teach

    dev, done = rd.mine(tiny_beir, tmp_path / "dev", split="dev", depth=10), list[int]()
    given: dict[str, Any] = {"dev_candidates": dev, "evaluations": 2, **SETTINGS}
    taught = rd.teach(tiny_beir, mined, tiny_encoder, tmp_path / "t", progress=done.append, **given)
    assert sum(done) == 8
    assert list(taught.figures) == [0, 1, 2]
    assert taught.before == taught.figures[0]
    assert taught.after == taught.figures[2]
    figures = f"dev nDCG@10 {taught.before:.4f} before, {taught.after:.4f} after"
    first, verdict, last = taught.lines()
    assert (first, last) == (figures, f"teacher: {tmp_path / 't'}")
    assert verdict.startswith(f"The taught teacher ({taught.after:.4f}) ranks these candidates ")
    assert [row[0] for row in taught.tables()[0].rows] == ["the taught teacher", "bm25", "the base as an encoder"]
    assert taught.is_worse == (" worse than bm25" in verdict or " worse than the base" in verdict)
    taught.require(allow_worse=True)
    if taught.is_worse:
        with pytest.raises(WorseTeacherError):
            taught.require()
    assert repr(taught) == f"TaughtTeacher('{tmp_path / 't'}': 2 steps of ranknet, {figures})"
    assert figures in taught._repr_html_()
    rows = taught.to_polars()
    assert rows["step"].to_list() == [0, 1, 2]
    assert rows["dev_ndcg_at_10"].to_list() == list(taught.figures.values())
    assert rows["loss"].null_count() < 3
    assert len(taught.to_pandas()) == 3
    assert json.loads(json.dumps(taught.to_json()))["after"] == taught.after
    assert taught.open("torch").score([("what is the river", "the river is deep")]).shape == (1,)
    store = rd.score(tiny_beir, taught, mined, tmp_path / "s")
    assert isinstance(store, ScoreStore)
    with caplog.at_level(logging.INFO, "rankdistill"):
        again = rd.teach(tiny_beir, mined, tiny_encoder, taught, **given)
    assert f"{tmp_path / 't'} is up to date" in caplog.text
    assert again.log == taught.log
    config = tmp_path / "teach.yaml"
    config.write_text(yaml.safe_dump(SETTINGS | {"evaluations": 2}))
    flags = ["--data", tiny_beir, "--candidates", mined.path, "--base", tiny_encoder, "--config", config]
    flags += ["--dev-candidates", dev.path, "--out", tmp_path / "t", "--allow-worse"]
    assert json.loads(run_verb(teach, *flags, "--json").stdout) == taught.to_json()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"base": 3}, "base of teach"),
        ({"negative": 3}, "negatives is meant"),
        ({"dev_candidate": "x"}, "dev_candidates is meant"),
        ({"loss": "hinge"}, "hinge"),
        ({"steps": "many"}, "steps: "),
        ({"negatives": 0}, "negatives above 0"),
        ({"config": "none.yaml"}, "none.yaml"),
        ({"config": {"steps": 2}}, "config of teach"),
    ],
)
def test_wrong_names_types_and_values_are_errors_before_anything_is_written(
    tiny_beir: Path, tiny_encoder: str, mined: Candidates, tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    given: dict[str, Any] = {"data": tiny_beir, "candidates": mined, "base": tiny_encoder, "out": tmp_path / "t"}
    with pytest.raises(ConfigError, match=says):
        rd.teach(**given | changed)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [("- 1\n", "list"), ("negative: 3\n", "negatives is meant"), ("steps: 010\n", "no whole number")],
)
def test_a_file_of_settings_that_is_none_is_an_error(
    tiny_beir: Path, tiny_encoder: str, mined: Candidates, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "teach.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        rd.teach(tiny_beir, mined, tiny_encoder, tmp_path / "t", config=tmp_path / "teach.yaml")


def test_a_folder_that_is_no_teacher_and_a_lost_log_are_errors(
    tiny_beir: Path, tiny_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="rankdistill teach"):
        TaughtTeacher(tiny_encoder)
    taught = rd.teach(tiny_beir, mined, tiny_encoder, tmp_path / "t", **SETTINGS)
    assert (taught.before, taught.after, str(taught)) == (None, None, f"teacher: {tmp_path / 't'}")
    assert taught.is_worse is None
    taught.require()
    (tmp_path / "t" / "training_log.json").unlink()
    with pytest.raises(DataError, match="the training log"):
        _ = TaughtTeacher(tmp_path / "t").log

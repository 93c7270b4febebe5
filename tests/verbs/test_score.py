"""The verb `score` from Python: what it takes, what it gives, and that its store is the command line's."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rankdistill as rd
from rankdistill import data, manifest, tables, teachers
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.measures import ndcg_at_10
from rankdistill.mining.candidates import Candidates
from rankdistill.stores.fidelity import FidelityCheck
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.runs import StoreRun
from rankdistill.stores.writer import ScoreWriter
from tests.cli.verb import run_verb
from tests.verbs.files import contents


def store_of(scored: ScoreStore | StoreRun) -> ScoreStore:
    assert isinstance(scored, ScoreStore)
    return scored


def test_paths_and_objects_make_the_store_that_the_command_and_the_writer_make(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.cli import console
    from rankdistill.cli.score import score

    command = "rankdistill score --out ."
    settings: dict[str, Any] = {"backend": "torch", "unit_size": 16, "command": command}
    dataset = data.load(tiny_beir)
    for name, given in {
        "text": (str(tiny_beir), tiny_cross_encoder, str(mined.path)),
        "paths": (tiny_beir, Path(tiny_cross_encoder), mined.path),
        "objects": (dataset, tiny_cross_encoder, mined),
    }.items():
        rd.score(*given, str(tmp_path / name), **settings)
    rd.score(
        tiny_beir,
        {"kind": "cross_encoder", "model": tiny_cross_encoder, "backend": "torch"},
        mined,
        tmp_path / "mapping",
        unit_size=16,
        command=command,
    )
    monkeypatch.setattr(console, "command", lambda leave_out=(): command)
    flags = ["--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined.path, "--backend", "torch"]
    run_verb(score, *flags, "--unit-size", 16, "--out", tmp_path / "flags")
    spec = teachers.specify(tiny_cross_encoder, backend="torch")
    ScoreWriter(
        tmp_path / "writer",
        queries=dataset.queries(None),
        documents=dataset.contents,
        candidates=mined.path / tables.CANDIDATES_FILE,
        teacher=spec.load(),
        dataset_fingerprint=dataset.fingerprint,
        unit_size=16,
        spec=spec,
        fidelity=FidelityCheck(measure=ndcg_at_10),
    ).run(command=command)
    wanted = contents(tmp_path / "writer")
    assert len(wanted) > 5
    for name in ("text", "paths", "objects", "mapping", "flags"):
        assert contents(tmp_path / name) == wanted, name


def test_a_store_says_what_it_holds_and_what_the_call_did(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    from rankdistill.cli.status import status

    done: list[int] = []
    store = store_of(rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s", progress=done.append))
    (teacher,) = store.teacher_ids
    assert sum(done) == 120
    assert repr(store) == f"ScoreStore('{tmp_path / 's'}': 120 scores of 12 queries by {store.names[teacher]})"
    assert Path(store) == tmp_path / "s"
    assert str(store).split() == run_verb(status, tmp_path / "s").stdout.split()
    assert "120 scores in 1 shards" in store._repr_html_()
    rows = store.to_polars()
    assert rows.columns == ["query_id", "doc_id", "teacher", "score"]
    assert rows.drop("teacher").equals(store.scores())
    assert set(rows["teacher"]) == {teacher}
    assert len(store.to_pandas()) == 120
    told = json.loads(json.dumps(store.to_json(), allow_nan=False))
    assert told["teachers"][teacher] == {"scores": 120, "score_kind": "logit", "fidelity": None}
    assert (told["queries"], told["documents"]) == (12, rows["doc_id"].n_unique())
    assert store.run is not None
    assert (store.run.done, store.run.reused, store.run.left) == (120, 0, 0)
    again = store_of(rd.score(tiny_beir, tiny_cross_encoder, mined, store))
    assert again.run is not None
    assert (again.run.done, again.run.reused) == (0, 120)
    assert ScoreStore(tmp_path / "s").run is None


def test_two_teachers_stand_one_below_the_other(
    tiny_beir: Path, tiny_cross_encoder: str, tiny_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s")
    store = store_of(rd.score(tiny_beir, tiny_encoder, mined, tmp_path / "s"))
    assert store.to_polars().group_by("teacher").len().sort("teacher").rows() == [
        (known, 120) for known in store.teacher_ids
    ]
    assert repr(store).count("240 scores") == 1


class Lengths:
    """A teacher of the user's own."""

    score_kind = "dot"
    teacher_id = "lengths-0123456789ab"
    fingerprint = {"kind": "lengths"}  # noqa: RUF012 - no setting

    def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> np.ndarray:
        return np.array([len(document) for _, document in pairs], np.float32)


def test_an_object_that_scores_pairs_is_a_teacher_and_a_stores_candidates_are_scored_again(
    tiny_beir: Path, tiny_encoder: str, mined: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rd.score(tiny_beir, Lengths(), mined, tmp_path / "s", kind="embedding")
    assert "kind: without effect" in caplog.text
    store = store_of(rd.score(tiny_beir, tiny_encoder, tmp_path / "s", tmp_path / "s"))
    assert len(store.to_polars()) == 240
    contents_of = data.load(tiny_beir).contents
    scored = {row["doc_id"]: row["score"] for row in store.scores("lengths-0123456789ab").iter_rows(named=True)}
    assert scored == {doc_id: len(contents_of[doc_id]) for doc_id in scored}
    other = store_of(rd.score(tiny_beir, tiny_encoder, mined, tmp_path / "o"))
    (teacher,) = other.teacher_ids
    assert store.scores(teacher).equals(other.scores(teacher))
    with pytest.raises(ConfigError, match="other processes can load"):
        rd.score(tiny_beir, Lengths(), mined, tmp_path / "r", executor="ray")
    rd.score(tiny_beir, Lengths(), rd.mine(tiny_beir, tmp_path / "few", depth=3), store)
    with pytest.raises(ConfigError, match="with 2 candidate tables"):
        rd.score(tiny_beir, tiny_encoder, store, store)


def test_where_other_shares_are_missing_the_run_is_returned(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path
) -> None:
    first = rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s", unit_size=16, shard="1/2")
    assert isinstance(first, StoreRun)
    assert first.run is first
    assert (first.left, first.done, Path(first)) == (4, 64, tmp_path / "s")
    assert str(first).splitlines()[0].startswith(f"{tmp_path / 's'}: 64 pairs scored, 0 reused, ")
    assert "share 1/2 is done; 4 shards of the others are missing" in str(first)
    assert repr(first) == (
        f"StoreRun('{tmp_path / 's'}': 64 pairs scored, 0 reused; 4 shards of other shares are missing)"
    )
    assert "4 shards of the others" in first._repr_html_()
    assert first.to_polars().row(0, named=True) == first.to_json()
    assert first.to_json()["finished"] is False
    assert len(first.to_pandas()) == 1
    with pytest.raises(DataError, match="no manifest"):
        ScoreStore(tmp_path / "s")
    second = rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s", unit_size=16, shard="2/2")
    assert isinstance(second, ScoreStore)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"teacher": 3}, "teacher of score"),
        ({"candidates": ["a"]}, "candidates of score"),
        ({"unit_size": "16"}, "unit_size of score"),
        ({"unit": 16}, "unit_size is meant"),
        ({"unit_size": 0}, "unit_size of at least 1"),
        ({"max_length": 4}, "max_length of at least 8"),
        ({"min_fidelity": 2.0}, "min_fidelity from 0 to 1"),
        ({"lock_wait": -1.0}, "lock_wait of at least 0"),
        ({"shard": "3/2"}, "1 <= i <= n"),
        ({"executor": "spark"}, "local, ray"),
        ({"teacher": {"model": "x"}}, "no mapping with `kind`"),
        ({"teacher": {"kind": "oracle"}}, "a kind of teacher among"),
        ({"teacher": {"kind": "cross_encoder", "model": "x", "modell": "x"}}, "modell"),
        ({"progress": "yes"}, "progress of score"),
    ],
)
def test_wrong_names_types_and_values_are_errors_before_anything_is_written(
    tiny_beir: Path,
    tiny_cross_encoder: str,
    mined: Candidates,
    tmp_path: Path,
    changed: dict[str, Any],
    says: str,
) -> None:
    given = {"data": tiny_beir, "teacher": tiny_cross_encoder, "candidates": mined, "out": tmp_path / "s"} | changed
    with pytest.raises(ConfigError, match=says):
        rd.score(**given)
    assert not (tmp_path / "s").exists()


def test_settings_besides_a_teacher_that_has_its_own_are_noted(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"kind": "cross_encoder", "model": tiny_cross_encoder, "backend": "torch"}
    with caplog.at_level(logging.WARNING, "rankdistill"):
        rd.score(tiny_beir, settings, mined, tmp_path / "s", backend="torch", max_length=32)
    assert "backend, max_length: without effect" in caplog.text
    assert settings["kind"] == "cross_encoder"
    (made,) = manifest.expect(tmp_path / "s", "scores", "score").parameters["teachers"].values()
    assert made["max_length"] == 64


def test_progress_on_standard_error_and_json_of_the_command(
    tiny_beir: Path,
    tiny_cross_encoder: str,
    mined: Candidates,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rankdistill.cli.score import score

    rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s", progress=True)
    assert capsys.readouterr().out == ""
    flags = ["--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined.path, "--out", tmp_path / "s"]
    told = json.loads(run_verb(score, *flags, "--json").stdout)
    assert (told["scored"], told["reused"], told["finished"]) == (0, 120, True)


def test_bad_rows_are_noted_where_they_are_left_out(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (tiny_beir / "qrels/train.tsv").open("a") as stream:
        stream.write("nobody\td00\t1\n")
    with pytest.raises(DataError, match="unknown query 'nobody'"):
        rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s")
    with caplog.at_level(logging.WARNING, "rankdistill"):
        store = store_of(rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / "s", lenient=True))
    assert "left out 1 bad rows" in caplog.text
    assert isinstance(store.to_polars(), pl.DataFrame)

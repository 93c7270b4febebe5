"""Damaged, foreign and outdated stores, each through the command line: a clear message, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from rankdistill import manifest
from tests.cli.verb import Run


@pytest.fixture
def scoring(tiny_beir: Path, tiny_cross_encoder: str, mined: Path, tmp_path: Path) -> list[object]:
    """The line that fills the store."""
    words = ["score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined]
    return [*words, "--out", tmp_path / "store", "--unit-size", 40, "--backend", "torch"]


@pytest.fixture
def store(rankdistill: Run, scoring: list[object], tmp_path: Path) -> Path:
    """A finished store of several shards."""
    assert rankdistill(*scoring)[0] == 0
    return tmp_path / "store"


@pytest.fixture
def readings(store: Path, tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> list[list[object]]:
    """Lines that read its scores."""
    reading = ["--data", tiny_beir, "--store", store]
    return [
        ["check", store],
        ["export", *reading, "--format", "sentence-transformers", "--out", tmp_path / "export.jsonl"],
        ["train", *reading, "--student", tiny_encoder, "--steps", 1, "--out", tmp_path / "student"],
        ["ensemble", "--store", store, "--teachers", "cross", "--out", tmp_path / "ensemble"],
    ]


def shards(store: Path) -> list[Path]:
    return sorted(store.glob("scores/*/part-*.parquet"))


def contents(store: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file() and path.name != ".lock"}


def cut(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-20])


def no_parquet(shard: Path) -> None:
    shard.write_text("query_id,doc_id,score\n")


def other_columns(shard: Path) -> None:
    pl.DataFrame({"qid": ["q00"], "pid": ["d00"], "score": [1.0]}).write_parquet(shard)


def wider_scores(shard: Path) -> None:
    pl.read_parquet(shard).with_columns(pl.col("score").cast(pl.Float64)).write_parquet(shard)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "whole Parquet file"),
        (no_parquet, "whole Parquet file"),
        (other_columns, "query_id is missing"),
        (wider_scores, "score is double, not float"),
    ],
)
def test_a_spoilt_shard_is_named_and_can_be_made_again(
    rankdistill: Run, scoring: list[object], store: Path, readings: list[list[object]], spoil: object, said: str
) -> None:
    whole = contents(store)
    spoilt = shards(store)[1]
    assert callable(spoil)
    spoil(spoilt)
    left = contents(store)
    for words in [*readings, [*scoring, "--unit-size", 41]]:
        status, text = rankdistill(*words)
        assert status == 1, words
        assert "StoreError" in text
        assert spoilt.name in text
        assert said in text
        assert "Traceback" not in text
    assert contents(store) == left
    spoilt.unlink()
    assert rankdistill(*scoring)[0] == 0
    assert all(rankdistill(*words)[0] == 0 for words in readings if words[0] == "export")
    assert sum(pl.read_parquet(path).height for path in shards(store)) == sum(
        pl.read_parquet(data).height for path, data in whole.items() if path.name.startswith("part-")
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"format": "1"}, "format 1"),
        ({"artefact": None, "format": None}, "format None"),
    ],
)
def test_a_manifest_of_another_version_is_refused(
    rankdistill: Run,
    scoring: list[object],
    store: Path,
    readings: list[list[object]],
    change: dict[str, object],
    said: str,
) -> None:
    path = store / manifest.FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    left = contents(store)
    for words in [*readings, scoring, ["status", store]]:
        status, text = rankdistill(*words)
        assert status == 1, words
        assert "DataError" in text
        assert f"a manifest of format {manifest.FORMAT}" in text
        assert said in text
        assert "use the rankdistill that wrote it" in text
        assert "Traceback" not in text
    assert contents(store) == left


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_what_is_no_manifest_is_refused(rankdistill: Run, store: Path, text: str) -> None:
    (store / manifest.FILE_NAME).write_text(text)
    status, shown = rankdistill("check", store)
    assert status == 1
    assert "DataError" in shown
    assert "Traceback" not in shown


def test_another_fingerprint_under_a_teachers_id_is_refused_on_resume(
    rankdistill: Run, scoring: list[object], store: Path
) -> None:
    (store / manifest.FILE_NAME).unlink()
    shards(store)[-1].unlink()
    (path,) = store.glob("teachers/*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_length": 7}))
    left = contents(store)
    status, text = rankdistill(*scoring)
    assert status == 1
    assert "StaleOutputError" in text
    assert "scores of two teachers would be mixed" in text
    assert contents(store) == left


def test_another_teacher_never_continues_the_shards_of_an_interrupted_one(
    rankdistill: Run, scoring: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.teachers.cross_encoder import CrossEncoderTeacher

    original = CrossEncoderTeacher.score
    calls = []

    def interrupted(*given: object, **named: object) -> object:
        calls.append(None)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(*given, **named)  # type: ignore[arg-type]

    store = tmp_path / "store"
    with monkeypatch.context() as patched:
        patched.setattr(CrossEncoderTeacher, "score", interrupted)
        assert rankdistill(*scoring)[0] == 130
    (first,) = (path.stem for path in store.glob("teachers/*.json"))
    assert len(shards(store)) == 1
    assert rankdistill(*scoring, "--max-length", 16)[0] == 0
    second = next(path.stem for path in store.glob("teachers/*.json") if path.stem != first)
    name = Path(str(scoring[scoring.index("--teacher") + 1])).name
    assert f"{name} ({first}): 40 scores in 1 shards, " in rankdistill("status", store)[1]
    assert rankdistill("check", store, "--teacher", second)[0] in (0, 1)
    status, text = rankdistill("check", store, "--teacher", first)
    assert status == 1
    assert "StoreError" in text
    assert second in text
    assert rankdistill(*scoring)[0] == 0
    assert "finished" in rankdistill("status", store)[1]


@pytest.mark.parametrize("name", ["queries.parquet", "documents.parquet"])
def test_cut_texts_are_named(rankdistill: Run, scoring: list[object], store: Path, name: str) -> None:
    cut(store / name)
    for words in (scoring, ["status", store]):
        status, text = rankdistill(*words)
        assert status == 1
        assert ("DamagedError" if words is scoring else "DataError") in text
        assert name in text
        assert "Traceback" not in text


def test_an_artefact_of_another_kind_is_not_added_to(
    rankdistill: Run, scoring: list[object], mined: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.trec"
    run.write_text("q00 Q0 d00 1 1.5 x\n")
    left = contents(mined)
    for words in (scoring, ["import", "--format", "trec-run", "--input", run, "--teacher-name", "run"]):
        status, text = rankdistill(*words, "--out", mined)
        assert status == 1
        assert "StaleOutputError" in text
        assert "it holds 'candidates'" in text
        assert contents(mined) == left

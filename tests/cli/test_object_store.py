"""Every verb that takes a store takes one in a bucket, and does the same with it as with one in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rankdistill import locations
from tests import s3
from tests.cli.verb import Run


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    with s3.serving() as endpoint, s3.chosen(endpoint, monkeypatch):
        yield f"s3://{s3.BUCKET}"


def contents(root: Path) -> dict[str, bytes]:
    found = locations.all_files(root)
    left_out = (".lock", "manifest.json")  # a manifest has the command line, with the paths in it
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found if path.name not in left_out}


def commands(place: str, data: Path, candidates: Path, teacher: str, student: str, work: Path) -> list[list[object]]:
    """Lines with the store at `place`/store; what is no store goes into the folder `work`."""
    store = f"{place}/store"
    run = work / "run.trec"
    run.write_text("".join(f"q{query:02d} Q0 d{doc:02d} 1 {doc % 5}.5 x\n" for query in range(12) for doc in range(9)))
    scoring = ["--data", data, "--candidates", candidates, "--teacher", teacher, "--out", store, "--backend", "torch"]
    reading = ["--data", data, "--store", store]
    return [
        ["plan", *scoring, "--sample", 0],
        ["score", *scoring, "--unit-size", 50],
        ["export", *reading, "--format", "sentence-transformers", "--out", work / "export.jsonl"],
        ["train", *reading, "--student", student, "--steps", 1, "--out", work / "student", "--no-check"],
        ["import", "--format", "trec-run", "--input", run, "--teacher-name", "run", "--data", data, "--out", store],
        ["status", store],
        ["check", store, "--teacher", "run", "--json", work / "check.json"],
        ["ensemble", "--store", store, "--teachers", "run", "--out", f"{place}/ensemble"],
    ]


def test_verbs_with_a_store_in_a_bucket(
    rankdistill: Run,
    tiny_beir: Path,
    tiny_cross_encoder: str,
    tiny_encoder: str,
    mined: Path,
    bucket: str,
    tmp_path: Path,
) -> None:
    statuses = []
    for name, place in (("local", str(tmp_path / "stores")), ("remote", bucket)):
        (tmp_path / name).mkdir()
        lines = commands(place, tiny_beir, mined, tiny_cross_encoder, tiny_encoder, tmp_path / name)
        shown = [rankdistill(*words) for words in lines]
        statuses.append([status for status, _ in shown])
        said = [text for (status, text), (verb, *_) in zip(shown, lines, strict=True) if status and verb != "check"]
        assert said == []
    assert statuses[0] == statuses[1]
    for name in ("export.jsonl", "student/model.safetensors"):
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "remote" / name).read_bytes()
    checks = [json.loads((tmp_path / name / "check.json").read_text()) for name in ("local", "remote")]
    assert checks[0] | {"title": ""} == checks[1] | {"title": ""}
    for name in ("store", "ensemble"):
        assert contents(locations.location(f"{bucket}/{name}")) == contents(tmp_path / "stores" / name)


@pytest.mark.parametrize(
    "words",
    [
        ["status", "s3://no-such-bucket/store"],
        ["check", "s3://no-such-bucket/store"],
        ["export", "--format", "gpl", "--out", "out", "--store", "s3://no-such-bucket/store"],
        ["train", "--data", "d", "--student", "s", "--out", "out", "--store", "s3://no-such-bucket/store"],
    ],
)
def test_a_missing_bucket_is_explained(rankdistill: Run, bucket: str, words: list[str]) -> None:
    status, text = rankdistill(*words)
    assert status == 1
    assert "RemoteError" in text
    assert "s3://no-such-bucket/store" in text
    assert "create the bucket" in text
    assert "Traceback" not in text


def test_a_store_that_is_not_there_is_no_missing_bucket(rankdistill: Run, bucket: str) -> None:
    status, text = rankdistill("check", f"{bucket}/absent")
    assert status == 1
    assert "DataError" in text
    assert "rankdistill score" in text

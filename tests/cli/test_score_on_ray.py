"""`score --executor ray` gives the local store byte for byte: in int8, which is calibrated once, and into a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rankdistill import locations
from rankdistill.locations import cache_folder
from tests import s3
from tests.cli.verb import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

UNIT = 25
"""Pairs a shard: several for each of two workers."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket, which processes started here find too."""
    with s3.serving() as endpoint, s3.chosen(endpoint, monkeypatch):
        yield f"s3://{s3.BUCKET}"


@pytest.fixture
def scoring(tiny_beir: Path, tiny_cross_encoder: str, mined: Path) -> list[object]:
    """The words that every run here has."""
    data = ["--data", tiny_beir, "--candidates", mined, "--teacher", tiny_cross_encoder]
    return ["score", *data, "--unit-size", UNIT, "--min-fidelity", 0.3]


def contents(root: Path) -> dict[str, bytes]:
    """Every file but locks; the manifest without the command line, which names the store."""
    found = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in locations.all_files(root)
        if path.name != ".lock"
    }
    manifest: dict[str, Any] = json.loads(found.pop("manifest.json"))
    return found | {"manifest.json": json.dumps(manifest | {"command": ""}).encode()}


def test_int8_scores_on_ray_are_the_local_ones_byte_for_byte(
    rankdistill: Run, scoring: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    words = [*scoring, "--backend", "openvino-int8"]
    status, said = rankdistill(*words, "--executor", "ray", "--workers", 2, "--out", tmp_path / "ray")
    assert status == 0, said
    assert len(list((cache_folder() / "exports").glob("openvino-int8-*"))) == 1
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "other-cache"))
    assert rankdistill(*words, "--out", tmp_path / "local")[0] == 0
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    shards = [name for name in contents(tmp_path / "local") if "/part-" in name]
    assert len(shards) > 3


def test_a_store_in_a_bucket_is_filled_by_ray(
    rankdistill: Run, scoring: list[object], bucket: str, tmp_path: Path
) -> None:
    words = [*scoring, "--backend", "torch"]
    status, said = rankdistill(*words, "--executor", "ray", "--workers", 2, "--out", f"{bucket}/store")
    assert status == 0, said
    assert rankdistill(*words, "--out", tmp_path / "local")[0] == 0
    assert contents(locations.location(f"{bucket}/store")) == contents(tmp_path / "local")

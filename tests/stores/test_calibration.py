"""A store's calibration pairs: drawn from its first candidates, then kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from rankdistill.errors import DataError
from rankdistill.stores.calibration import calibration_pairs
from rankdistill.stores.layout import Layout
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers import TeacherSpec
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher


def test_pairs_are_drawn_from_the_candidates_and_kept_when_the_store_grows(
    writer: Callable[..., ScoreWriter], candidates: Path, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "store")
    drawn = calibration_pairs(layout, candidates, QUERIES, DOCUMENTS)
    assert len(drawn) == 60
    assert {query for query, _ in drawn} == set(QUERIES.values())
    assert not layout.root.exists()
    spec = TeacherSpec("cross_encoder", {"model": "some", "backend": "openvino-int8"}).with_calibration(lambda: drawn)
    scoring = writer(HashTeacher(), spec=spec)
    scoring.run()
    fewer = tmp_path / "fewer.parquet"
    pl.read_parquet(candidates).filter(pl.col("query_id") < "q010").write_parquet(fewer)
    assert calibration_pairs(layout, fewer, QUERIES, DOCUMENTS) == drawn
    assert calibration_pairs(Layout(tmp_path / "other"), fewer, QUERIES, DOCUMENTS) != drawn


def test_unknown_ids_are_refused(candidates: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="q029"):
        calibration_pairs(Layout(tmp_path), candidates, dict(list(QUERIES.items())[:29]), DOCUMENTS)


def test_only_a_calibrated_back_end_gets_pairs_and_given_ones_stay() -> None:
    exact = TeacherSpec("cross_encoder", {"model": "some", "backend": "openvino"})
    assert exact.with_calibration(lambda: pytest.fail("nothing to calibrate")) is exact
    given = replace(exact, settings={"model": "some", "backend": "openvino-int8", "calibration": [["a", "b"]]})
    assert given.with_calibration(lambda: pytest.fail("it has pairs")) is given

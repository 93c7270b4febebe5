"""`rankdistill.Ensemble`: takes what the verbs take, and tells what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill.errors import ConfigError
from tests.ensembles.test_source import SAME, write_store


def test_a_path_or_the_store_gives_the_same_scores(tmp_path: Path) -> None:
    store = write_store(tmp_path, SAME)
    found = rd.Ensemble(store, ["a", "b"])
    for place in (store.path, str(store.path)):
        assert rd.Ensemble(place, ["a", "b"]).scores().equals(found.scores())
    assert repr(found) == f"Ensemble({str(store.path)!r}: 0.5 x a, 0.5 x b; zscore, missing: error)"
    assert rd.Ensemble(store, "a").members == [store.teacher("a")]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"store": 3}, "store to be"),
        ({"teachers": 3}, "teachers to be"),
        ({"teachers": [3]}, "teachers to be"),
        ({"calibrate": ["zscore"]}, "calibrate to be"),
        ({"missing": None}, "missing to be"),
        ({"weights": "1,2"}, "weights to be"),
        ({"reference": 3}, "reference to be"),
    ],
)
def test_a_wrong_type_is_told(named: dict[str, Any], told: str, tmp_path: Path) -> None:
    store = write_store(tmp_path, SAME)
    with pytest.raises(ConfigError, match=told):
        rd.Ensemble(**({"store": store, "teachers": ["a", "b"]} | named))

"""Which models a system is of, as the fingerprints of every kind of system tell it."""

from __future__ import annotations

from typing import Any

import pytest

from rankdistill.evaluation.identity import readers_in, readers_of

ONE, TWO = {"weights": "1" * 64}, {"weights": "2" * 64}
DENSE: dict[str, Any] = {"encoder": ONE, "documents": TWO, "index": {"factory": "exact"}}


@pytest.mark.parametrize(
    ("fingerprint", "weights", "all_told"),
    [
        (DENSE, "1", True),
        ({"queries": ONE, "documents": TWO}, "1", True),
        ({"kind": "cross_encoder", **ONE}, "1", True),
        ({"first": DENSE, "teacher": TWO, "depth": 100}, "2", True),
        ({"fusion": {"method": "rrf", "parts": [DENSE, {"bm25": {"k1": 0.9}}]}}, "1", True),
        ({"fusion": {"method": "rrf", "parts": [DENSE, {"run": "a"}]}}, "1", False),
        ({"kind": "ensemble", "members": {"a": ONE, "b": TWO}, "weights": {"a": 1}}, "12", True),
        ({"encoder": {"texts": "as they are"}, "index": {"factory": "bm25"}}, "", True),
        ({"encoder": {"server": {"model": ONE}}, "index": {}}, "1", True),
        ({"server": {"model": "a", "models": [ONE, {"name": "b"}]}}, "1", False),
        ({"encoder": {"endpoint": "http://x", "model": "a"}}, "", False),
        ({"run": "a"}, "", False),
        (None, "", False),
    ],
)
def test_what_reads_the_queries_is_found(fingerprint: Any, weights: str, all_told: bool) -> None:
    found = readers_of(fingerprint)
    assert found.weights == {each * 64 for each in weights}
    assert found.all_told is all_told
    assert found.has(iter(["3" * 64])) is (False if all_told else None)
    assert found.has(iter(["3" * 64, *found.weights])) is (True if weights else False if all_told else None)


def test_a_system_of_several_trainings_is_each_of_them() -> None:
    found = readers_in([{"system": DENSE}, {"system": TWO}])
    assert (len(found.weights), found.all_told) == (2, True)
    assert readers_in({"system": DENSE}).has(iter(["1" * 64])) is True
    assert readers_in(None).has(iter(["1" * 64])) is None

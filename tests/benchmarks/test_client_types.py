"""What is compiled against the official clients' types is what is sent, and the planted mistakes are in it."""

from __future__ import annotations

import json

import pytest

from benchmarks.serving.client_types import PLANTED, TYPES, bodies, planted, statement


@pytest.mark.parametrize("name", TYPES)
def test_every_kind_of_body_is_written_as_a_constant_of_its_type(name: str) -> None:
    written = [statement(number, name, kind, body) for number, (kind, body) in enumerate(bodies(name))]
    assert {kind for kind, _ in bodies(name)} == set(TYPES[name])
    for line in written:
        left, _, body = line.partition(" = ")
        assert left.rpartition(": ")[2] in TYPES[name].values()
        json.loads(body)


@pytest.mark.parametrize("name", TYPES)
def test_each_planted_mistake_changes_one_body(name: str) -> None:
    every = {line.partition(": ")[2] for line in (statement(0, name, kind, body) for kind, body in bodies(name))}
    wrong = [line.partition(": ")[2] for line in planted(name)]
    assert len(wrong) == sum(engine == name for engine, *_ in PLANTED)
    assert not every & set(wrong)

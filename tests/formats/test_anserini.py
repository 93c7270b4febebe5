"""Integer vectors: the factor is kept, and the dot product stays within the rounding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rankdistill import manifest
from rankdistill.errors import DataError
from rankdistill.formats import anserini
from rankdistill.formats.anserini import Vector
from tests.recorded import record_again


def test_lines_are_json_vectors_with_whole_numbers(tmp_path: Path) -> None:
    left_out = anserini.write(tmp_path, [Vector("d1", "some text", {"b": 1.234, "a": 0.004, "c": 2.0})])
    [line] = (tmp_path / "vectors" / "docs.jsonl").read_text().splitlines()
    assert json.loads(line) == {"id": "d1", "contents": "some text", "vector": {"b": 123, "c": 200}}
    assert left_out == 1
    assert manifest.expect(tmp_path, "impact-vectors", "export").parameters == {"factor": 100}


@pytest.mark.parametrize("factor", [100, 1000])
def test_the_dot_product_is_kept_within_the_rounding(tmp_path: Path, factor: int) -> None:
    generator = np.random.default_rng(0)
    documents = generator.exponential(size=(20, 50)) * (generator.random((20, 50)) < 0.3)
    vectors = [
        Vector(str(row), "", {f"t{column}": float(documents[row, column]) for column in np.flatnonzero(documents[row])})
        for row in range(20)
    ]
    anserini.write(tmp_path, vectors, factor=factor)
    back = np.zeros_like(documents)
    for vector in anserini.read(tmp_path):
        for term, weight in vector.weights.items():
            back[int(vector.doc_id), int(term[1:])] = weight
    query = generator.random(50)
    assert np.abs(back - documents).max() <= 0.5 / factor + 1e-9
    assert np.abs(documents @ query - back @ query).max() <= 0.5 / factor * query.sum()


@pytest.mark.parametrize("weight", [-0.5, float("nan"), float("inf")])
def test_weights_that_no_impact_index_holds_are_refused(tmp_path: Path, weight: float) -> None:
    with pytest.raises(DataError, match="finite weights of at least 0"):
        anserini.write(tmp_path, [Vector("d1", "", {"a": weight})])
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    anserini.write(tmp_path, [Vector("d1", "", {"a": 1.0})])
    path = tmp_path / "vectors" / "docs.jsonl"
    path.write_text(path.read_text() + '{"id": "d2"}\n')
    record_again(tmp_path)
    with pytest.raises(DataError, match=r"docs\.jsonl:2"):
        list(anserini.read(tmp_path))

"""Indexes searched with models as the server loads them find what evaluation finds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.data import Dataset
from rankdistill.serving.contracts import SearchAnswer, SearchRequest
from rankdistill.serving.models import load_model
from rankdistill.serving.retrieval import open_search

LONG = "what is the old river and the deep planet " * 12
QUERIES = ("the deep river", "what is the old planet 3", "bread", LONG)


@pytest.mark.parametrize("length", [None, 24])
@pytest.mark.parametrize("kind", ["dense", "sparse", "multi_vector"])
def test_the_same_is_found(
    kind: str, length: int | None, dataset: Dataset, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    fixture = {"dense": "tiny_encoder", "sparse": "tiny_splade", "multi_vector": "tiny_multi_vector"}[kind]
    reference = request.getfixturevalue(fixture)
    rankdistill.index(dataset, reference, tmp_path / "index", backend="torch", max_length=length)
    index = rankdistill.open(tmp_path / "index")
    expected = rankdistill.search(index, list(QUERIES), 10, backend="torch")

    async def run() -> list[SearchAnswer]:
        model: Any = load_model(reference, name="served", backend="torch", documents=index.space)
        service = open_search({"index": index}, {"served": model})
        answers = await service.search([SearchRequest(query) for query in QUERIES])
        await service.close()
        await model.close()
        return answers

    for answer, hits in zip(asyncio.run(run()), expected, strict=True):
        texts = [dataset.contents[hit.id] for hit in answer.hits]
        assert texts == [dataset.contents[hit.doc_id] for hit in hits]  # of equal ones, rounding may choose
        np.testing.assert_allclose([hit.score for hit in answer.hits], [hit.score for hit in hits], rtol=1e-5)

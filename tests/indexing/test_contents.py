"""An index is of its documents' texts, not of their ids alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill import manifest
from rankdistill.data import load
from rankdistill.engines.sources import IndexSource
from rankdistill.errors import DataError
from rankdistill.indexing.contents import contents_of, read
from rankdistill.indexing.documents import CONTENTS_FILE

pytestmark = pytest.mark.usefixtures("torch_alone")


@pytest.fixture
def changed(tiny_beir: Path, tmp_path: Path) -> Path:
    """The same ids, and each document with the text of the one before it."""
    folder = tmp_path / "changed"
    shutil.copytree(tiny_beir, folder)
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    moved = [
        row | {"title": other["title"], "text": other["text"]}
        for row, other in zip(rows, [rows[-1], *rows[:-1]], strict=True)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
    return folder


@pytest.mark.parametrize("factory", ["bm25", "exact"])
def test_an_index_of_other_texts_is_refused(
    factory: str, tiny_beir: Path, changed: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    model = None if factory == "bm25" else tiny_encoder
    index = rd.index(tiny_beir, model, tmp_path / "index", factory=factory)
    with pytest.raises(DataError, match="from other texts"):
        rd.evaluate(changed, index, tmp_path / "no")
    with pytest.raises(DataError, match="from other texts"):
        rd.mine(changed, tmp_path / "mined", [f"index:{index.folder}"], depth=3)
    assert rd.evaluate(tiny_beir, index, tmp_path / "yes").system.measures["ndcg_at_10"] > 0


def test_other_queries_or_another_order_are_no_other_documents(tiny_beir: Path, tmp_path: Path) -> None:
    index = rd.index(tiny_beir, None, tmp_path / "index", factory="bm25", shard_size=None)
    wanted = rd.evaluate(tiny_beir, index, tmp_path / "before").system.measures
    lines = (tiny_beir / "corpus.jsonl").read_text().splitlines(keepends=True)
    (tiny_beir / "corpus.jsonl").write_text("".join(lines[::-1]))
    with (tiny_beir / "queries.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "new", "text": "a river that nobody judged"}) + "\n")
    assert rd.evaluate(tiny_beir, index, tmp_path / "after").system.measures == wanted
    (index.folder / CONTENTS_FILE).unlink()
    made = manifest.expect(index.folder, "index", "index")
    replace(made, outputs={name: one for name, one in made.outputs.items() if name != CONTENTS_FILE}).write(
        index.folder
    )
    assert read(index.folder) is None
    assert rd.evaluate(tiny_beir, rd.open(index.folder), tmp_path / "older").system.measures == wanted


def test_the_hash_is_of_ids_with_their_texts_in_any_order(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    pairs = [("a", "one"), ("b", "two"), ("c", "one")]
    assert contents_of(pairs) == contents_of(pairs[::-1])
    others = [[("a", "two"), ("b", "one"), ("c", "one")], pairs[:2], [*pairs, pairs[0]], [("ao", "ne"), *pairs[1:]]]
    assert len({contents_of(one) for one in [pairs, *others]}) == 5
    index = rd.index(tiny_beir, tiny_encoder, tmp_path / "index", shard_size=16)
    assert read(index.folder) == contents_of(load(tiny_beir).contents.items())


def test_texts_of_another_collection_are_not_pushed_beside_the_vectors(
    tiny_beir: Path, changed: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    dense = rd.index(tiny_beir, tiny_encoder, tmp_path / "dense")
    with pytest.raises(DataError, match="from other texts"):
        IndexSource([dense], load(changed))
    assert IndexSource([dense], load(tiny_beir)).contents == read(dense.folder)
    with pytest.raises(DataError, match="of the same ids and of other texts"):
        IndexSource([dense, rd.index(changed, tiny_splade, tmp_path / "sparse")])

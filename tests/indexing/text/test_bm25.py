"""BM25 as an index on disk: what it finds, and what happens to its files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.text.bm25 import Bm25Index
from rankdistill.mining.bm25 import VOCABULARY_FILE, Bm25

TEXTS = {"d1": "the deep river", "d2": "old bread and a river", "d3": "...", "d4": "bread, bread and bread"}
QUERIES = ["river bread", "nothing of this", "breads"]

BUILD = """
import sys
from pathlib import Path
from rankdistill.indexing.text.bm25 import Bm25Index
index = Bm25Index()
index.add(["a", "b"], ["flour and water for bread", "rivers flow into the cold sea"])
index.save(Path(sys.argv[1]))
"""


@pytest.fixture
def index() -> Bm25Index:
    made = Bm25Index(k1=1.2, b=0.75)
    made.add(list(TEXTS)[:2], list(TEXTS.values())[:2])
    made.add(list(TEXTS)[2:], list(TEXTS.values())[2:])
    return made


def test_it_finds_what_bm25_over_all_texts_finds_before_and_after_saving(index: Bm25Index, tmp_path: Path) -> None:
    names, values = Bm25(TEXTS, k1=1.2, b=0.75).retrieve(QUERIES, 10)
    index.save(tmp_path)
    for searched in (index, Bm25Index.load(tmp_path)):
        ids, scores = searched.search(QUERIES, 10)
        assert ids.shape == (3, 4)
        for row in range(3):
            assert [name for name in ids[row] if name != NOTHING] == names[row]
            np.testing.assert_array_equal(scores[row, : len(names[row])], values[row])
            assert np.isneginf(scores[row, len(names[row]) :]).all()
    assert names[1] == []


def test_the_files_do_not_depend_on_the_hashes_of_words(tmp_path: Path) -> None:
    """bm25s numbers the words in the order of a set, which differs from process to process."""
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", BUILD, str(tmp_path / seed)], check=True, env=environment)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert one == two


def test_documents_without_a_word_are_kept_and_never_found(tmp_path: Path) -> None:
    index = Bm25Index()
    index.add(["a", "b"], ["", "..."])
    index.save(tmp_path)
    loaded = Bm25Index.load(tmp_path)
    assert loaded.ids == ["a", "b"]
    assert set(loaded.search(["a river"], 5)[0].ravel()) == {NOTHING}


def test_bad_input_and_damaged_files_are_errors_of_ours(index: Bm25Index, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'d1' twice"):
        index.add(["d1"], ["again"])
    with pytest.raises(ConfigError, match="at least 1"):
        index.search(QUERIES, 0)
    index.save(tmp_path)
    (tmp_path / VOCABULARY_FILE).write_text("{")
    with pytest.raises(DataError, match="a BM25 index"):
        Bm25Index.load(tmp_path)

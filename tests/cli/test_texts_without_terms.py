"""Documents and queries in which an index knows no term, through `index`, `search` and `evaluate`."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from rankdistill import indexing
from tests.cli.term_weights import term_weights
from tests.cli.verb import Run

PYSERINI = pytest.mark.skipif(find_spec("pyserini") is None, reason="pip install 'rankdistill[lucene]'")
SEISMIC = pytest.mark.skipif(find_spec("seismic") is None, reason="pip install 'rankdistill[seismic]'")

BACKENDS = [
    "bm25",
    "exact",
    pytest.param("lucene-bm25", marks=PYSERINI),
    pytest.param("lucene", marks=PYSERINI),
    pytest.param("seismic", marks=SEISMIC),
]

NOT_A_TERM = "the is"
"""Stop words, which BM25 leaves out, and tokens of weight 0 for the model."""


def words(backend: str, tiny_bert: Path, tmp_path: Path) -> list[object]:
    """`--backend` and, where it needs one, a model that knows two topics."""
    if "bm25" in backend:
        return ["--backend", backend]
    model = term_weights(tiny_bert, tmp_path / "model", {"river": 2.0, "planet": 3.0})
    return ["--backend", backend, "--model", model]


def rewrite(data: Path, texts: dict[str, str]) -> None:
    """Give documents other texts, without titles."""
    lines = (data / "corpus.jsonl").read_text().splitlines()
    rows = [
        row | ({"title": "", "text": texts[row["_id"]]} if row["_id"] in texts else {})
        for row in map(json.loads, lines)
    ]
    (data / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("backend", BACKENDS)
def test_they_find_nothing_and_are_not_found(
    rankdistill: Run, tiny_beir: Path, tiny_bert: Path, tmp_path: Path, backend: str
) -> None:
    rewrite(tiny_beir, {"d00": NOT_A_TERM, "d39": NOT_A_TERM})
    made = ["--data", tiny_beir, *words(backend, tiny_bert, tmp_path), "--out", tmp_path / "index"]
    status, said = rankdistill("index", *made)
    assert status == 0, said
    assert len(indexing.load(tmp_path / "index").ids) == 40
    queries = ["--query", NOT_A_TERM, "--query", "qqq zzz", "--query", "the river"]
    status, said = rankdistill("search", "--index", tmp_path / "index", *queries, "--k", 40)
    assert status == 0, said
    assert f"# {NOT_A_TERM} # qqq zzz # the river 1 " in said
    assert f"note: nothing found for '{NOT_A_TERM}' note: nothing found for 'qqq zzz'" in said
    assert not {"d00", "d39"} & set(said.split())
    assert {"d06", "d12", "d18", "d24", "d30", "d36"} < set(said.split())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_collection_without_any_term_is_built_and_evaluates_to_0(
    rankdistill: Run, tiny_beir: Path, tiny_bert: Path, tmp_path: Path, backend: str
) -> None:
    rewrite(tiny_beir, {f"d{number:02}": NOT_A_TERM for number in range(40)})
    made = ["--data", tiny_beir, *words(backend, tiny_bert, tmp_path), "--out", tmp_path / "index"]
    status, said = rankdistill("index", *made)
    assert status == 0, said
    status, said = rankdistill(
        "evaluate", "--index", tmp_path / "index", "--data", tiny_beir, "--out", tmp_path / "out"
    )
    assert status == 0, said
    assert json.loads((tmp_path / "out" / "results.json").read_text())["ndcg_at_10"] == 0

"""The verbs `index` and `search`, called from Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import data
from rankdistill.cli.index import index as cli_index
from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.recipes import IndexRecipe
from tests.cli.verb import run_verb


@pytest.fixture
def words(tiny_beir: Path, tmp_path: Path) -> StoredIndex:
    """The tiny collection in an index of words."""
    return rd.index(str(tiny_beir), None, str(tmp_path / "words"), factory="bm25")


def test_an_index_tells_what_it_holds(words: StoredIndex, tiny_beir: Path, tmp_path: Path) -> None:
    assert os.fspath(words) == str(tmp_path / "words")
    assert repr(words).startswith(f"StoredIndex('{tmp_path / 'words'}': 40 documents, ")
    assert "bm25" in str(words)
    assert "40 documents" in words._repr_html_()
    assert words.to_polars().columns == ["doc_id", "snippet"]
    assert len(words.to_pandas()) == 40
    assert words.to_json()["documents"] == 40
    assert words.to_json()["factory"] == "bm25"


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "manifest.json")
    }


def test_the_bytes_are_those_of_the_command_line(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    line = ["--data", tiny_beir, "--model", tiny_encoder, "--backend", "torch", "--factory", "HNSW8"]
    run_verb(cli_index, *line, "--search", "efSearch=40", "--out", tmp_path / "typed")
    opened = data.load(tiny_beir)
    made = rd.index(
        opened, Path(tiny_encoder), tmp_path / "called", factory="HNSW8", search_parameters={"efSearch": 40},
        backend="torch", progress=lambda done: None,
    )  # fmt: skip
    assert files_of(tmp_path / "typed") == files_of(tmp_path / "called")
    typed = rd.index(opened, tiny_encoder, tmp_path / "typed", factory="HNSW8", search_parameters="efSearch=40",
                     backend=["torch"])  # fmt: skip
    assert typed.made.identity == made.made.identity


def test_every_setting_of_a_recipe_counts(tiny_beir: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "words.yaml"
    recipe.write_text("factory: bm25\nbuild_parameters: {k1: 1.5, tokenizer: words}\n")
    read = rd.index(tiny_beir, None, tmp_path / "read", recipe=str(recipe))
    assert read.made.parameters["build_parameters"]["k1"] == 1.5
    named = IndexRecipe.model_validate({"factory": "bm25", "build_parameters": {"k1": 1.5, "tokenizer": "words"}})
    given = rd.index(tiny_beir, None, tmp_path / "given", recipe=named)
    settings = rd.index(tiny_beir, None, tmp_path / "settings", **named.model_dump())
    assert read.made.identity == given.made.identity == settings.made.identity
    besides: tuple[dict[str, Any], ...] = (
        {"factory": "exact2"},
        {"shard_size": 7},
        {"build_parameters": ["k1=2"]},
        {"backend": "seismic"},
    )
    for beside in besides:
        with pytest.raises(ConfigError, match="not both"):
            rd.index(tiny_beir, None, tmp_path / "other", recipe=named, **beside)


def test_wrong_arguments_are_errors_of_ours(words: StoredIndex, tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="factory is meant"):
        rd.index(tiny_beir, None, tmp_path / "x", factroy="bm25")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="shard_size of index"):
        rd.index(tiny_beir, None, tmp_path / "x", shard_size="many")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="one back end of the index"):
        rd.index(tiny_beir, None, tmp_path / "x", factory="HNSW32", backend="bm25")
    with pytest.raises(ConfigError, match="queries of search"):
        rd.search(words, 5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a query"):
        rd.search(words, [])
    with pytest.raises(ConfigError, match="an index"):
        rd.search([], "a")
    with pytest.raises(DataError, match="no such folder"):
        rd.search(str(tmp_path / "nowhere"), "a")
    assert not (tmp_path / "x").exists()


def test_hits_are_a_list_for_each_query(words: StoredIndex, tiny_beir: Path) -> None:
    found = rd.search(words, ["a river", "the violin"], k=3)
    assert len(found) == 2
    assert [hit.rank for hit in found[0]] == [1, 2, 3]
    assert found[0][0].text.startswith("river")
    assert [len(hits) for hits in found] == [3, 3]
    assert repr(found) == "Hits(6 documents for 2 queries)"
    assert repr(rd.search(words, "a river", k=1)) == "Hits(1 document for 1 query)"
    assert str(found).splitlines()[0] == "# a river"
    assert str(found).splitlines()[1].split()[2] == found[0][0].doc_id
    assert found.to_polars().columns == ["query", "rank", "doc_id", "score", "text"]
    assert found.to_pandas()["doc_id"].tolist() == [hit.doc_id for hits in found for hit in hits]
    assert found.to_json()["queries"][1]["hits"][0]["doc_id"] == found[1][0].doc_id
    assert found._repr_html_().count("<table>") == 2
    whole = rd.search(str(words.folder), "a river", k=1, data=data.load(tiny_beir))
    assert whole[0][0].text == data.load(tiny_beir).contents[found[0][0].doc_id]


def test_a_query_without_an_answer_is_told_of(words: StoredIndex, caplog: pytest.LogCaptureFixture) -> None:
    found = rd.search(words, "zzz")
    assert list(found) == [[]]
    assert "nothing found for 'zzz'" in caplog.text
    assert str(found) == ""


def test_several_indexes_are_fused_with_parameters_of_one(
    words: StoredIndex, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    graph = rd.index(tiny_beir, tiny_encoder, tmp_path / "graph", factory="HNSW8", backend="torch")
    text = data.load(tiny_beir).contents["d07"]
    settings = {f"{graph.folder}:efSearch": 64}
    found = rd.search(
        [graph, str(words.folder)], text, fusion="min_max", weights=[1, 3], search_parameters=settings, backend="torch"
    )
    assert found[0][0].doc_id == "d07"
    assert found[0][0].score == pytest.approx(1)
    with pytest.raises(ConfigError, match=f"write {graph.folder}:efSearch=64"):
        rd.search([graph, words], text, fusion="rrf", search_parameters={"efSearch": 64})
    with pytest.raises(ConfigError, match="--fusion rrf"):
        rd.search([graph, words], text)


def test_a_query_that_says_nothing_is_refused_where_a_model_would_read_it(
    words: StoredIndex, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    dense = rd.index(tiny_beir, tiny_encoder, tmp_path / "dense")
    for queries, said in (("", "got: ''"), (["an old river", " \n"], "query 2 of 2")):
        with pytest.raises(ConfigError, match=said):
            rd.search(dense, queries, k=1)
    assert rd.search(words, "", k=1)[0] == []

"""Fields and filters as users give them: `index` with fields, `search` with a filter, in Python and typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill.cli.index import index as cli_index
from rankdistill.cli.search import search as cli_search
from rankdistill.errors import ConfigError
from tests.cli.verb import run_verb

ROWS = [
    {"_id": "a", "title": "One", "text": "the old harbour", "year": 1999, "metadata": {"tags": ["sea", "old"]}},
    {"_id": "b", "title": "Two", "text": "the new harbour", "year": 2005, "metadata": {"tags": ["sea"], "open": True}},
    {"_id": "c", "title": "Three", "text": "a harbour for ships", "metadata": {"open": False}},
]
SINCE = {"must": [{"field": "year", "gte": 2000}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def test_the_command_line_and_python_build_and_find_the_same(folder: Path) -> None:
    flags = ["--field", "year", "--field", "tags:strings", "--field", "open"]
    run_verb(cli_index, "--data", folder / "data", "--backend", "bm25", *flags, "--out", folder / "typed")
    fields = {"year": None, "tags": "strings", "open": None}
    called = rd.index(folder / "data", None, folder / "called", factory="bm25", fields=fields)
    assert called.schema == {"year": "integer", "tags": "strings", "open": "boolean"}
    for name in ("fields.parquet", "ids.parquet"):
        typed = folder / "typed" / "shard-00000" / name
        assert typed.read_bytes() == (folder / "called" / "shard-00000" / name).read_bytes()

    line = ["--index", folder / "typed", "--query", "harbour", "--filter", json.dumps(SINCE)]
    assert run_verb(cli_search, *line).stdout.split()[2:7] == ["b", "[open=true", "tags=sea", "year=2005]", "Two"]
    shown = json.loads(run_verb(cli_search, *line, "--json").stdout)
    hits = rd.search(folder / "called", "harbour", filter=SINCE)
    assert shown == hits.to_json()
    assert [hit.fields for hit in hits[0]] == [{"open": True, "tags": ["sea"], "year": 2005}]


def test_hits_show_fields_in_every_form(folder: Path) -> None:
    index = rd.index(folder / "data", None, folder / "index", factory="bm25", fields=["year", "tags"])
    hits = rd.search(index, "harbour")
    assert {hit.doc_id: dict(hit.fields) for hit in hits[0]} == {
        "a": {"year": 1999, "tags": ["sea", "old"]},
        "b": {"year": 2005, "tags": ["sea"]},
        "c": {},
    }
    table = hits.to_polars().sort("doc_id")
    assert table["fields"].struct.field("year").to_list() == [1999, 2005, None]
    assert "tags=sea,old" in hits._repr_html_()
    assert "[tags=sea,old year=1999]" in str(hits)
    plain = rd.search(rd.index(folder / "data", None, folder / "plain", factory="bm25"), "harbour")
    assert "fields" not in plain.to_polars().columns
    assert "fields" not in plain._repr_html_()


def test_a_filter_that_no_document_holds_finds_nothing(folder: Path) -> None:
    index = rd.index(folder / "data", None, folder / "index", factory="bm25", fields="year")
    assert rd.search(index, "harbour", filter={"field": "year", "gt": 2050})[0] == []


@pytest.mark.parametrize("words", ['{"must": ', '["year"]', "year=2000", '{"must": [], "must": []}'])
def test_a_filter_that_is_no_object_is_refused_as_typed(folder: Path, words: str) -> None:
    rd.index(folder / "data", None, folder / "index", factory="bm25", fields="year")
    with pytest.raises(ConfigError, match="JSON object"):
        run_verb(cli_search, "--index", folder / "index", "--query", "harbour", "--filter", words)

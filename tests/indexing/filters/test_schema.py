"""Fields of a corpus: where they are found, which types they get, and what is refused with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing.filters.schema import parse_wanted, resolve, values
from tests.indexing.filters import oracle


def corpus(folder: Path, rows: Sequence[Mapping[str, Any]], inside: bool = False) -> Dataset:
    """Documents with this metadata, as further keys or in `metadata`."""
    folder.mkdir(exist_ok=True)
    lines = [
        {"_id": f"d{place}", "text": f"text {place}", **({"metadata": dict(row)} if inside else row)}
        for place, row in enumerate(rows)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return data.load(folder)


@pytest.mark.parametrize("inside", [False, True])
def test_types_are_found_from_the_values(tmp_path: Path, inside: bool) -> None:
    rows = oracle.documents(80, 0)
    dataset = corpus(tmp_path, rows, inside)
    found = resolve(dict.fromkeys(oracle.SCHEMA), dataset)
    # 2001.0 among whole numbers makes numbers of them, unless they are called whole.
    assert found == {**oracle.SCHEMA, "year": "number"}
    assert resolve({"year": "integer"}, dataset) == {"year": "integer"}
    kept = list(values({**oracle.SCHEMA}, dataset))
    assert len(kept) == 80
    assert [row.get("source") for row in kept] == [row.get("source") for row in rows]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([1, 2, None], "integer"),
        ([1, 2.5], "number"),
        ([True, None, False], "boolean"),
        (["2024-05-01", "2024-05-01T10:00:00Z"], "date"),
        (["2024-05-01", "soon"], "string"),
        (["soon", "2024-05-01"], "string"),
        (["a", ["b"]], "strings"),
        ([["b"], "2024-05-01"], "strings"),
        (["2024-05-01", []], "strings"),
        ([[], ["a"]], "strings"),
        (["2024"], "string"),
        (["2024-13-01"], "string"),
        ([""], "string"),
    ],
)
def test_the_narrowest_type_that_holds_all(tmp_path: Path, given: list[Any], kind: str) -> None:
    assert resolve({"x": None}, corpus(tmp_path, [{"x": value} for value in given])) == {"x": kind}


@pytest.mark.parametrize(
    ("given", "kind", "named"),
    [
        ([1, True], None, r"corpus.jsonl:2: document 'd1': True, true or false, where .*corpus.jsonl:1 has a whole"),
        ([1, "1"], None, r"corpus.jsonl:2.*'1', a text"),
        (["a", 1], None, r"corpus.jsonl:2"),
        ([{"a": 1}], None, r"corpus.jsonl:1.*a text, a number"),
        ([["a", 1]], None, r"corpus.jsonl:1"),
        ([None, None], None, "x:TYPE"),
        ([2001, "2001"], "integer", r"corpus.jsonl:2: document 'd1': '2001': a whole number is wanted"),
        ([2001.5], "integer", "whole number"),
        ([2**63], "integer", "64 bits"),
        ([True], "number", "a number"),
        ([float("nan")], "number", "finite"),
        ([float("inf")], None, "a text, a number"),
        (["later"], "date", "2024-05-01"),
        (["a\ud800"], "string", "Unicode"),
        ([1], "boolean", "true or false"),
        ([[1]], "strings", "text"),
    ],
)
def test_values_of_another_type_are_an_error_with_their_line(
    tmp_path: Path, given: list[Any], kind: str | None, named: str
) -> None:
    dataset = corpus(tmp_path, [{"x": value} for value in given])
    with pytest.raises(DataError, match=f"(?s){named}"):
        resolve({"x": kind}, dataset)


def test_a_field_that_no_document_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    dataset = corpus(tmp_path, [{"year": 1}, {"source": "a"}], inside=True)
    for kind in (None, "integer"):
        with pytest.raises(DataError, match="year, source"):
            resolve({"yaer": kind}, dataset)


def test_a_name_beside_metadata_and_in_it_is_refused(tmp_path: Path) -> None:
    dataset = corpus(tmp_path, [{"year": 1, "metadata": {"year": 2}}])
    with pytest.raises(DataError, match=r"corpus.jsonl:1.*'year' stands beside"):
        resolve({"year": None}, dataset)
    dataset = corpus(tmp_path, [{"year": 1, "metadata": "none"}])
    with pytest.raises(DataError, match="not an object"):
        resolve({"year": None}, dataset)


def test_what_users_write() -> None:
    assert parse_wanted(["year", "source:string"]) == {"year": None, "source": "string"}
    assert parse_wanted({"year": None, "a:b": "date"}) == {"year": None, "a:b": "date"}
    assert parse_wanted(None) == {}
    for wrong in (["year:int"], ["year", "year:integer"], [""], [":string"], ["text"], {"_id": None}):
        with pytest.raises(ConfigError, match="field"):
            parse_wanted(wrong)

"""Files of texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.stores.embeddings.text_files import TextFile, parse_text_file

ROWS = [("query", "a river"), ("document", "a bridge over the river"), ("query", "")]


def write(path: Path, with_kinds: bool = True) -> Path:
    """The rows in the format that the name says."""
    records = [{"text": text} | ({"kind": kind} if with_kinds else {}) for kind, text in ROWS]
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(records), path)
        return path
    is_json = name.endswith(".jsonl")
    content = "".join((json.dumps(row) if is_json else row["text"]) + "\n" for row in records).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_kinds_come_from_the_rows(tmp_path: Path, name: str) -> None:
    assert list(TextFile(write(tmp_path / name)).rows()) == ROWS


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.jsonl", "a.parquet"])
def test_or_from_what_is_said_of_the_file(tmp_path: Path, name: str) -> None:
    file = parse_text_file(f"document={write(tmp_path / name, with_kinds=False)}")
    assert [(kind, text.strip()) for kind, text in file.rows()] == [("document", text) for _, text in ROWS]


def test_what_is_said_of_the_file_wins(tmp_path: Path) -> None:
    assert {kind for kind, _ in TextFile(write(tmp_path / "a.parquet"), "query").rows()} == {"query"}


def test_a_null_in_parquet_is_an_empty_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([None, "a"], pa.large_string())}), tmp_path / "a.parquet")
    assert list(TextFile(tmp_path / "a.parquet", "query").rows()) == [("query", ""), ("query", "a")]


def test_a_plain_file_needs_a_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"query=a\.txt"):
        list(TextFile(write(tmp_path / "a.txt")).rows())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"kind": "query"}', ":1: the text None"),
        ('{"kind": "passage", "text": "a"}', ":1: the kind 'passage'"),
        ('{"text": "a"}', ":1: the kind None"),
        ('{"text": 3, "kind": "query"}', ":1: the text 3"),
        ("[1]", ":1: a JSON list"),
        ("{", ":1: broken JSON"),
        ('{"text": "\\ud800", "kind": "query"}', ":1: broken Unicode"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=says):
        list(TextFile(tmp_path / "a.jsonl").rows())


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"good\n\xff\xfe bad\n")
    with pytest.raises(DataError, match=r"a\.txt:2:"):
        list(TextFile(tmp_path / "a.txt", "query").rows())


def test_a_parquet_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column text or kind; there are body"):
        list(TextFile(tmp_path / "a.parquet").rows())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        parse_text_file(f"query={tmp_path / 'none.txt'}")

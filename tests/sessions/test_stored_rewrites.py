"""Rewrites that somebody else made: the files that they come in, and what is refused of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from rankdistill.errors import DataError
from rankdistill.sessions import stored_rewrites

REWRITES = {"31_1": "what is throat cancer?", "31_2": "is throat cancer treatable?"}


@pytest.mark.parametrize(("ids", "texts"), [("turn_id", "rewrite"), ("_id", "text"), ("id", "text")])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet", "a.tsv", "A.TSV", "A.TSV.GZ", "A.PARQUET"])
def test_every_kind_of_file(name: str, ids: str, texts: str, tmp_path: Path) -> None:
    path, rows = tmp_path / name, [{ids: key, texts: said} for key, said in REWRITES.items()]
    if name.lower().endswith("parquet"):
        pl.DataFrame(rows).write_parquet(path)
    else:
        tabs = "".join(f"{key}\t{said}\n" for key, said in REWRITES.items())
        content = (tabs if ".tsv" in name.lower() else "".join(json.dumps(row) + "\n" for row in rows)).encode()
        path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    assert stored_rewrites.is_stored(path)
    assert stored_rewrites.read(path) == (REWRITES, [])


def test_the_speaker_of_mtrag_is_no_part_of_a_rewrite(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"_id": "c<::>1", "text": "|user|:  is it deep?"}\n')
    assert stored_rewrites.read(tmp_path / "a.jsonl")[0] == {"c<::>1": "is it deep?"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"_id": "1", "text": "a"}\n{"_id": "1", "text": "b"}\n', "two rewrites of '1'"),
        ("a.jsonl", '{"_id": "1", "text": "a"}\n{"_id": "2", "text": " "}\n', "is empty"),
        ("a.jsonl", '{"_id": "1", "text": "a"}\n{"number": 2, "text": "b"}\n', "none of the fields turn_id, _id, id"),
        ("a.tsv", "1\ta\n2\tb\tc\n", "3 columns"),
    ],
)
def test_bad_rows_are_named_and_can_be_left_out(name: str, content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said) as raised:
        stored_rewrites.read(tmp_path / name)
    assert f"{name}:2" in str(raised.value)
    found, reports = stored_rewrites.read(tmp_path / name, "lenient")
    assert found == {"1": "a"}
    assert len(reports) == 1


def test_other_files_are_explained(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="the columns a"):
        stored_rewrites.read(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="a table of rewrites"):
        stored_rewrites.read(tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text("\n")
    with pytest.raises(DataError, match="an empty file"):
        stored_rewrites.read(tmp_path / "c.jsonl")
    assert not stored_rewrites.is_stored(tmp_path / "absent.jsonl")
    assert not stored_rewrites.is_stored(tmp_path)

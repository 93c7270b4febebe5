"""JSON files of ours and of libraries: what is broken is an error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import manifest, plain_json
from rankdistill.errors import BrokenFileError, DataError
from rankdistill.manifest import Manifest


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"[" * 100_000, b"\xff", bytes(100)])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "teacher.json"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"teacher\.json"):
        plain_json.read(path)
    with pytest.raises(ValueError, match=r"."):
        plain_json.loads(content)


def test_so_is_one_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="no such file"):
        plain_json.read(tmp_path / "gone.json")


def test_what_is_whole_is_read_with_a_byte_order_mark_or_without(tmp_path: Path) -> None:
    path = tmp_path / "whole.json"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text('{"a": ["é", 1]}', encoding=encoding)
        assert plain_json.read(path) == {"a": ["é", 1]}


@pytest.mark.parametrize(
    ("old", "new"),
    [('"inputs": {}', '"inputs": [1]'), ('"outputs": {}', '"outputs": 5'), ("{", "[" * 100_000), ('"a"', "null")],
)
def test_a_manifest_of_other_types_is_damaged(tmp_path: Path, old: str, new: str) -> None:
    Manifest("a").write(tmp_path)
    path = tmp_path / manifest.FILE_NAME
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match="a manifest of format 1"):
        manifest.read(tmp_path)


def test_a_number_of_too_many_digits_is_none() -> None:
    assert plain_json.loads("9" * 308) == int("9" * 308)
    with pytest.raises(ValueError, match="a whole number of 309 digits"):
        plain_json.loads("[" + "9" * 309 + "]")

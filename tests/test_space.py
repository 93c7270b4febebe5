"""Spaces: only vectors of one space may be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rankdistill import space
from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.space import Space, require_dimension, require_searchable

SPACE = Space(384, True, "cosine", {"query": "q: "}, "abc", 256)
OWN = replace(SPACE, document_tower="student")


def test_equal_spaces_pass() -> None:
    require_searchable(SPACE, (replace(SPACE),))
    assert SPACE.fingerprint == replace(SPACE).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(SPACE, dimension=128),
        replace(SPACE, normalised=False),
        replace(SPACE, similarity="dot"),
        replace(SPACE, prompts={}),
        replace(SPACE, document_tower="def"),
        replace(SPACE, max_length=64),
    ],
)
def test_a_difference_in_any_field_is_refused_and_named(other: Space) -> None:
    (field,) = SPACE.differences(other)
    assert other.fingerprint != SPACE.fingerprint
    with pytest.raises(SpaceMismatchError, match=field):
        require_searchable(SPACE, (other,))


def test_an_aligned_model_searches_documents_of_any_length() -> None:
    require_searchable(SPACE, (OWN, SPACE))
    require_searchable(SPACE, (OWN, replace(SPACE, max_length=None)))
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        require_searchable(SPACE, (OWN, replace(SPACE, document_tower="def")))


def test_the_message_is_about_the_space_that_the_model_was_aligned_with() -> None:
    with pytest.raises(SpaceMismatchError) as caught:
        require_searchable(SPACE, (replace(OWN, dimension=8, normalised=False), replace(SPACE, prompts={})))
    assert "prompts" in caught.value.got
    assert "dimension" not in caught.value.got


def test_of_unaligned_models_only_the_dimension_is_checked() -> None:
    require_dimension(SPACE, OWN)
    with pytest.raises(SpaceMismatchError, match="length 384"):
        require_dimension(SPACE, replace(OWN, dimension=128))


def test_a_written_space_is_read_again_in_the_same_bytes(tmp_path: Path) -> None:
    assert space.read(tmp_path) is None
    space.write(tmp_path, SPACE)
    before = (tmp_path / space.FILE_NAME).read_bytes()
    found = space.read(tmp_path)
    assert found == SPACE
    space.write(tmp_path, found)
    assert (tmp_path / space.FILE_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [("dimension", 128), ("normalised", False), ("document_tower", "def"), ("prompts", {}), ("max_length", None)],
)
def test_an_edited_file_is_refused(tmp_path: Path, field: str, value: object) -> None:
    space.write(tmp_path, SPACE)
    path = tmp_path / space.FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(SpaceMismatchError, match="edited"):
        space.read(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"fingerprint": "x"}', '{"fingerprint": "x", "size": 3}'])
def test_a_file_that_is_no_space_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / space.FILE_NAME).write_text(content)
    with pytest.raises(DataError, match=r"space\.json"):
        space.read(tmp_path)

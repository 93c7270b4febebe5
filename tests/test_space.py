"""Spaces: only vectors of one space may be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rankdistill.errors import SpaceMismatchError
from rankdistill.space import Space, require_same

SPACE = Space(384, True, "cosine", {"query": "q: "}, "abc")


def test_equal_spaces_pass() -> None:
    require_same(SPACE, replace(SPACE))
    assert SPACE.fingerprint == replace(SPACE).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(SPACE, dimension=128),
        replace(SPACE, normalised=False),
        replace(SPACE, similarity="dot"),
        replace(SPACE, prompts={}),
        replace(SPACE, document_tower="def"),
    ],
)
def test_a_difference_in_any_field_is_refused_and_named(other: Space) -> None:
    field = next(name for name in SPACE.to_json() if getattr(SPACE, name) != getattr(other, name))
    assert other.fingerprint != SPACE.fingerprint
    with pytest.raises(SpaceMismatchError, match=field):
        require_same(SPACE, other)

"""Which prompt a role gets, and when the user must say."""

from __future__ import annotations

import pytest

from rankdistill.errors import ConfigError
from rankdistill.teachers.prompts import settle


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_model_without_prompts_needs_none(role: str) -> None:
    assert settle(role, {"query": "", "document": ""}, "", None) == ""  # type: ignore[arg-type]


def test_a_model_with_a_query_prompt_alone_has_plain_documents() -> None:
    carried = {"query": "q: ", "document": ""}
    assert settle("query", carried, "q: ", None) == "q: "
    assert settle("document", carried, "", None) == ""


@pytest.mark.parametrize(
    ("role", "carried"),
    [
        ("query", {"s2p_query": "find: ", "query": ""}),
        ("document", {"search_document": "d: "}),
        ("query", {"passage": "p: "}),
    ],
)
def test_prompts_under_other_names_are_not_guessed(role: str, carried: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=f"--{role}-prompt TEXT|{role} prompt"):
        settle(role, carried, "", None)  # type: ignore[arg-type]
    assert settle(role, carried, "", "mine: ") == "mine: "  # type: ignore[arg-type]
    assert settle(role, carried, "", "") == ""  # type: ignore[arg-type]

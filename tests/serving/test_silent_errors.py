"""No answer that is plausible and wrong: each case is refused with the right status, or flagged."""

from __future__ import annotations

import pytest

from benchmarks.serving.silent_error_cases import CASES, Case, outcome, passes
from rankdistill.serving.app import App, create_app
from tests.serving.fakes import FakeHolder, FakeModel, ask


@pytest.fixture(scope="module")
def app() -> App:
    """A bundle's query tower alone."""
    return create_app(FakeHolder(FakeModel(sides=("query",))))


def test_there_are_thirty_and_none_is_there_twice() -> None:
    """Names and requests differ."""
    assert len(CASES) == 30
    assert len({case.name for case in CASES}) == len({case.request("m", 5)[1] for case in CASES}) == 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_refused_or_flagged(app: App, case: Case) -> None:
    """With the status that the case names, and OpenAI's body."""
    headers, body = case.request("tiny", 16)
    given = ask(app, "/v1/embeddings", body, headers=headers)
    assert given.status == case.status, given.body
    assert passes(outcome(given.status, given.headers, given.body))
    if given.status != 200:
        assert set(given.json["error"]) == {"message", "type", "param", "code"}
        assert "\n" not in given.json["error"]["message"]


def test_a_right_request_is_answered(app: App) -> None:
    """The cases differ from one that is answered by what is wrong with them alone."""
    given = ask(app, "/v1/embeddings", {"input": "a river", "model": "tiny"})
    assert given.status == 200
    assert outcome(given.status, given.headers, given.body) == "silent"


def test_the_places_of_cut_texts_are_told(app: App) -> None:
    """In the body and in the header."""
    (case,) = (case for case in CASES if case.name == "one text of three too long")
    given = ask(app, "/v1/embeddings", case.request("tiny", 16)[1])
    assert given.json["truncated"] == [1]
    assert given.headers["x-truncated"] == "1"


@pytest.mark.parametrize(("status", "body", "found"), [(500, b"", "failed"), (0, b"", "failed"), (200, b"<", "failed")])
def test_a_fault_is_no_refusal(status: int, body: bytes, found: str) -> None:
    """A server that falls over has not said what is wrong."""
    assert outcome(status, {}, body) == found

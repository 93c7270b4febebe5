"""Opening a collection by name, before any engine is asked."""

from __future__ import annotations

import pytest

from rankdistill.engines import open_engine
from rankdistill.engines.registry import ENGINES, secret_of
from rankdistill.engines.results import answering
from rankdistill.errors import ConfigError, RemoteError


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("url", "collection"), [("", "docs"), (" ", "docs"), ("http://127.0.0.1:1", ""), ("x", " ")])
def test_neither_a_place_nor_a_collection_is_guessed(engine: str, url: str, collection: str) -> None:
    """An empty URL (a variable that is not set) would be this folder to those that write files."""
    with pytest.raises(ConfigError, match="give one"):
        open_engine(url, collection, engine=engine)


URLS = {"pgvector": "postgresql://me@127.0.0.1:1/db", "milvus": "http://127.0.0.1:1", "lancedb": "db://none"}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_key_that_no_header_carries_is_refused_unseen(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("sk-very\nsecret", "sk-very\rsecret", "sk-very\x7fsecret"):
        monkeypatch.setenv("A_KEY", wrong)
        with pytest.raises(ConfigError, match="A_KEY") as refused:
            open_engine(URLS.get(engine, "http://127.0.0.1:1"), "docs", engine=engine, api_key_env="A_KEY")
        assert "sk-very" not in str(refused.value)


def test_a_key_from_a_file_comes_without_its_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", " sk-verysecret\n")
    assert secret_of("A_KEY") == "sk-verysecret"
    monkeypatch.setenv("A_KEY", " \n")
    with pytest.raises(ConfigError, match="it is empty"):
        secret_of("A_KEY")
    monkeypatch.delenv("A_KEY")
    with pytest.raises(ConfigError, match="it is not set"):
        secret_of("A_KEY")


@pytest.mark.parametrize(
    "said",
    [
        "Illegal header value b'sk:ve\"ry'",
        'bad {"key": "sk:ve\\"ry"}',
        "https://host/?key=sk%3Ave%22ry",
        "Basic c2s6dmUicnk= is refused",
        "password 've\"ry' of sk",
        "connection to http://me:p%20w@host failed: p w",
        "x" * 297 + 'sk:ve"ry',
    ],
)
def test_no_error_of_an_engine_shows_a_key_or_a_password(said: str) -> None:
    with pytest.raises(RemoteError) as raised, answering("An engine", "http://me:p%20w@host", ValueError, 'sk:ve"ry'):
        raise ValueError(said)
    for secret in ("ve", "c2s6", "p w", "p%20w", "sk:"):
        assert secret not in raised.value.got.replace("ValueError", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_password_in_an_address_that_is_refused_is_not_shown(engine: str) -> None:
    wrong = "https://me:pass1234@host" if engine in ("lancedb", "pgvector") else "ftp://me:pass1234@host"
    with pytest.raises(ConfigError) as raised:
        open_engine(wrong, "docs", engine=engine)
    assert "pass1234" not in str(raised.value)

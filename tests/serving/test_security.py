"""Files of keys, and keys in the environment."""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path

import pytest

from rankdistill.errors import ConfigError
from rankdistill.serving import security
from rankdistill.serving.refusals import UnauthorisedError
from rankdistill.serving.security import Keys

HASH = sha256(b"second").hexdigest()
TENANT = {"must": [{"field": "tenant", "equals": "a"}]}


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "keys"
    file.write_text(text, encoding="utf-8")
    return file


def test_lines_are_keys_hashes_and_filters(tmp_path: Path) -> None:
    """Comments and empty lines say nothing; a byte order mark and Windows' line ends do no harm."""
    text = (
        f'\ufeff# ours\r\nfirst\r\n\r\n  sha256:{HASH}\r\nthird {{"must": [{{"field": "tenant", "equals": "a"}}]}}\r\n'
    )
    keys = Keys.read(_file(tmp_path, text))
    assert len(keys) == 3
    assert keys.admit(b"Bearer first") is None
    assert keys.admit(b"Bearer second") is None
    assert keys.admit(b"Bearer third") == TENANT
    assert keys.filters == (TENANT,)
    for wrong in (b"Bearer ours", f"Bearer sha256:{HASH}".encode(), b"Bearer fourth", b"Bearer", b""):
        with pytest.raises(UnauthorisedError):
            keys.admit(wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "none"),
        ("# nothing\n\n", "none"),
        ("sha256:abc", "64 hexadecimal digits"),
        ("clé", "printable ASCII"),
        ("key {", "JSON"),
        ("key {}", "must_not"),
        ('key {"must": [], "must": []}', "2 times"),
        ('key {"where": []}', "must_not"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With its line, and without the key."""
    with pytest.raises(ConfigError) as caught:
        Keys.read(_file(tmp_path, text))
    assert said in str(caught.value)
    assert "clé" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is no open door."""
    with pytest.raises(ConfigError):
        Keys.read(tmp_path / "keys")


def test_the_environment_holds_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not set: no keys; set to nothing: refused."""
    monkeypatch.delenv(security.VARIABLE, raising=False)
    assert Keys.from_environment() is None
    monkeypatch.setenv(security.VARIABLE, "one\ntwo")
    found = Keys.from_environment()
    assert found is not None
    assert len(found) == 2
    monkeypatch.setenv(security.VARIABLE, "")
    with pytest.raises(ConfigError):
        Keys.from_environment()


def test_every_key_is_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever fits, all are compared, and none by `==`."""
    compared = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append(ours)
        return hmac.compare_digest(ours, theirs)

    keys = Keys.read(_file(tmp_path, "one\ntwo\nthree\n"))
    monkeypatch.setattr(security, "hmac", type("hmac", (), {"compare_digest": staticmethod(compare)}))
    keys.admit(b"Bearer one")
    assert len(compared) == 3
    with pytest.raises(UnauthorisedError):
        keys.admit(b"Bearer four")
    assert len(compared) == 6

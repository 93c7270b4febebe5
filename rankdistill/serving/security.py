"""API keys: who may ask, and for which documents."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.serving import bodies
from rankdistill.serving.refusals import BadRequestError, UnauthorisedError

VARIABLE = "RANKDISTILL_API_KEYS"

_HASHED = re.compile(r"sha256:[0-9a-fA-F]{64}")
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]+) *")


@dataclass(frozen=True)
class Key:
    """A key: the SHA-256 of its text, and the filter that is and-ed to its searches."""

    digest: bytes
    filter: Mapping[str, Any] | None = None


class Keys:
    """The keys of a server.

    A key is one line: its text or `sha256:` and the hash of its text in hex, then optionally a blank and a filter as
    JSON, `{"must": [...]}`, that is and-ed to every search made with it. Empty lines and those that begin with `#` say
    nothing.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, keys: Keys) -> None:
        """Know those instead, from the next request on."""
        self._keys = keys._keys

    @property
    def filters(self) -> tuple[Mapping[str, Any], ...]:
        """Those of the keys that have one."""
        return tuple(key.filter for key in self._keys if key.filter is not None)

    @classmethod
    def read(cls, file: str | Path) -> Keys:
        """The keys in a file.

        Raises:
            ConfigError: it cannot be read, has none, or has a line that is none.
        """
        try:
            lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                expected="a file of API keys, one a line",
                got=f"{file}: {error}",
                consequence="nothing was served",
                remedy="give a file that can be read",
            ) from error
        return cls._from(lines, str(file))

    @classmethod
    def from_environment(cls) -> Keys | None:
        """The keys in the variable RANKDISTILL_API_KEYS, one a line; None where it is not set.

        Raises:
            ConfigError: it is set to none, or has a line that is none.
        """
        found = os.environ.get(VARIABLE)
        return None if found is None else cls._from(found.splitlines(), VARIABLE)

    @classmethod
    def _from(cls, lines: Iterable[str], where: str) -> Keys:
        stripped = ((number, line.strip()) for number, line in enumerate(lines, start=1))
        keys = [_key(line, f"{where}, line {number}") for number, line in stripped if line and line[0] != "#"]
        if not keys:
            raise ConfigError(
                expected=f"an API key in {where}",
                got="none",
                consequence="nothing was served: everyone would have been let in, or no one",
                remedy="write a key a line, or serve without keys",
            )
        return cls(keys)

    def admit(self, authorization: bytes) -> Mapping[str, Any] | None:
        """The filter of the key in a header `Authorization: Bearer KEY`; None where the key has none.

        Every key is compared, each in a time that does not depend on where it differs.

        Raises:
            UnauthorisedError: no key, or one that is not known.
        """
        given = _BEARER.fullmatch(authorization)
        digest = sha256(given[1]).digest() if given else b""
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        if found is None:
            raise UnauthorisedError(
                expected="a header 'Authorization: Bearer KEY' with a key of this server",
                got="a key that is not known" if given else "no such header",
                consequence="nothing was answered",
            )
        return found.filter


def _key(line: str, where: str) -> Key:
    text, _, rest = line.partition(" ")
    if text.startswith("sha256:") and not _HASHED.fullmatch(text):
        raise _bad(where, "64 hexadecimal digits after 'sha256:'", f"{len(text) - 7} characters that are not all such")
    if not all("\x21" <= character <= "\x7e" for character in text):
        raise _bad(where, "a key of printable ASCII, as a header carries it", "other characters")
    digest = bytes.fromhex(text[7:]) if text.startswith("sha256:") else sha256(text.encode()).digest()
    if not rest.strip():
        return Key(digest)
    try:
        filter = bodies.parse(rest.encode())
    except BadRequestError as error:
        raise _bad(where, f"a filter as JSON after the key: {error.expected}", error.got) from None
    if not isinstance(filter, dict) or not filter or not set(filter) <= {"must", "should", "must_not"}:
        raise _bad(where, "a filter out of 'must', 'should' and 'must_not' after the key", type(filter).__name__)
    return Key(digest, filter)


def _bad(where: str, expected: str, got: str) -> ConfigError:
    return ConfigError(
        expected=f"{where}: {expected}",
        got=got,
        consequence="nothing was served",
        remedy="write KEY, or sha256:HEX, then optionally a blank and a filter",
    )

"""What both clients are given: where the server is, with which key, how hard to try."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rankdistill._extras import require
from rankdistill.client.calls import Answer, Call
from rankdistill.client.failures import ServerError
from rankdistill.client.operations import Server
from rankdistill.client.retrying import Policy
from rankdistill.errors import ConfigError
from rankdistill.space import AnySpace, MultiVectorSpace, Space, SparseSpace, TextSpace
from rankdistill.teachers.http.pacing import Clock

URL = "http://127.0.0.1:8080"

LARGEST_ANSWER = 256 * 2**20
"""Bytes of an answer that are read, uncompressed."""

_KEY = re.compile(r"[!-~]+")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Connection:
    """Settings of a client, checked.

    Args:
        server: who is asked.
        policy: how hard.
        httpx: the library.
        options: of httpx's client.
    """

    server: Server
    policy: Policy
    httpx: Any
    options: dict[str, Any]

    def problem(self, error: Exception) -> tuple[str, bool]:
        """What a broken attempt says, and whether another one may help.

        A server that does not answer in time is likely at work on the request still: asking again would add to that.
        """
        final = (self.httpx.ReadTimeout, self.httpx.DecodingError, self.httpx.UnsupportedProtocol)
        return f"{type(error).__name__}: {error}".rstrip(": "), not isinstance(error, final)


def connect(
    url: str,
    api_key: str | None,
    api_key_env: str | None,
    space: str | AnySpace | None,
    model: str | None,
    timeout: float,
    retries: int,
    longest_wait: float,
    transport: Any,
) -> Connection:
    """The settings of a client; see `rankdistill.client.client.Client`.

    Raises:
        ConfigError: no address of a server, two keys, an environment variable that is not set, a negative number.
        MissingDependencyError: httpx is not installed.
    """
    httpx = require("httpx", "asking a server")
    parts = _address(url)
    secret = _key(api_key, api_key_env)
    for name, value, least in (("timeout", timeout, 0), ("retries", retries, -1), ("longest_wait", longest_wait, -1)):
        if not value > least:
            raise ConfigError(
                expected=f"{name} above {least}" if least == 0 else f"{name} of at least 0",
                got=repr(value),
                consequence="nothing was asked",
                remedy="give another value, or leave the setting out",
            )
    fingerprint = space.fingerprint if isinstance(space, Space | SparseSpace | MultiVectorSpace | TextSpace) else space
    options: dict[str, Any] = {
        "timeout": timeout,
        "headers": {"content-type": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {}),
        "trust_env": not _is_here(parts.hostname or ""),
    }
    if transport is not None:
        options["transport"] = transport
    server = Server(url.rstrip("/"), fingerprint, model, secret)
    return Connection(server, Policy(retries, longest_wait, Clock(), secret), httpx, options)


def request_of(call: Call) -> dict[str, Any]:
    """The arguments of httpx's `request`."""
    return {"method": call.method, "url": call.where, "content": call.content or None}


class Body:
    """The body of an answer, as it comes.

    Args:
        where: the address that was asked.
        secret: the key that was sent.
    """

    def __init__(self, where: str, secret: str | None = None) -> None:
        self._where, self._secret, self._parts, self._length = where, secret, list[bytes](), 0

    def add(self, part: bytes) -> None:
        """Some more of it.

        Raises:
            ServerError: it is larger than `LARGEST_ANSWER` by now.
        """
        self._length += len(part)
        if self._length > LARGEST_ANSWER:
            raise ServerError(
                expected=f"an answer of at most {LARGEST_ANSWER // 2**20} MiB from {self._where}",
                got="more than that, which was not read to its end",
                consequence="nothing of it was used",
                remedy="check the address: something else than rankdistill may answer there; or ask for less at a time",
            )
        self._parts.append(part)

    def of(self, response: Any) -> Answer:
        """The answer whose body this is, of what httpx gave."""
        return Answer(response.status_code, response.headers, b"".join(self._parts), self._secret)


def _address(url: str) -> Any:
    try:
        parts = urlsplit(url)
        odd = parts.port == 0 or (isinstance(url, str) and _BLANK.search(url) is not None)  # a port beyond 65535 raises
    except ValueError:
        odd = True
    if odd or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            expected="the address of a server, such as http://127.0.0.1:8080",
            got=repr(url),
            consequence="nothing was asked",
            remedy="give scheme and host, and the port where it is not the usual one",
        )
    if parts.username or parts.password:
        raise ConfigError(
            expected="an address without user and password",
            got=f"one with them for {parts.hostname}",
            consequence="nothing was asked: the address stands in logs and manifests",
            remedy="give the key as `api_key_env`",
        )
    return parts


def _key(api_key: str | None, api_key_env: str | None) -> str | None:
    if api_key is not None and api_key_env is not None:
        raise ConfigError(
            expected="one of api_key and api_key_env",
            got="both",
            consequence="nothing was asked",
            remedy="leave one out",
        )
    if api_key_env is None:
        return _sendable(api_key, "api_key") if api_key is not None else None
    found = os.environ.get(api_key_env, "").strip()
    if not found:
        raise ConfigError(
            expected=f"a key in the environment variable {api_key_env}",
            got="none",
            consequence="nothing was asked",
            remedy=f"export {api_key_env}=KEY, or name the variable that holds it",
        )
    return _sendable(found, f"the environment variable {api_key_env}")


def _sendable(key: str, where: str) -> str:
    if _KEY.fullmatch(key):
        return key
    raise ConfigError(
        expected=f"a key of printable ASCII in {where}, as a header carries it",
        got="other characters, or none" if key else "an empty one",
        consequence="nothing was asked",
        remedy="give the key as the server's operator wrote it, without blanks and line ends",
    )


def _is_here(host: str) -> bool:
    """Whether a host is this machine, which no proxy of the environment leads to."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

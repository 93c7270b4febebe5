"""The engines by name, and opening a collection of one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

from rankdistill.engines.base import Engine
from rankdistill.errors import ConfigError
from rankdistill.names import load as load_named

ENGINES: Mapping[str, str] = {
    "qdrant": "rankdistill.engines.qdrant:open_engine",
    "milvus": "rankdistill.engines.milvus:open_engine",
    "pgvector": "rankdistill.engines.pgvector:open_engine",
    "lancedb": "rankdistill.engines.lancedb:open_engine",
    "opensearch": "rankdistill.engines.opensearch:open_engine",
    "elasticsearch": "rankdistill.engines.elasticsearch:open_engine",
}
"""Name -> `module:function`; the function takes `(url, collection, secret)` and gives an `Engine`. Add one here."""


def open_engine(url: str, collection: str, *, engine: str, api_key_env: str | None = None) -> Engine:
    """A collection of an engine; whether it exists is not asked here.

    Args:
        url: of the engine; docs/engines.md says which forms each takes.
        collection: its name there: a collection, a table or an index, as the engine calls it.
        engine: a name in `ENGINES`.
        api_key_env: environment variable with the key, the password or the token; None: none is sent.

    Raises:
        ConfigError: no such engine, a URL that it does not take, or the variable is not set.
        MissingDependencyError: the engine's client is not installed.
        RemoteError: the engine does not answer, or refuses.
    """
    if engine not in ENGINES:
        raise ConfigError(
            expected=f"one of {', '.join(ENGINES)}",
            got=repr(engine),
            consequence="nothing was run",
            remedy="name one of them",
        )
    for what, given in (("the name of a collection", collection), ("the URL of the engine, or its folder", url)):
        if not given.strip():  # an empty URL would be this folder
            raise ConfigError(
                expected=what,
                got=repr(given),
                consequence="nothing was run",
                remedy="give one; docs/engines.md has them",
            )
    opened: Engine = load_named(ENGINES[engine])(url, collection, secret_of(api_key_env))
    return opened


def secret_of(variable: str | None) -> str | None:
    """What the environment variable holds; None where none is named.

    Raises:
        ConfigError: it is not set, or empty, or holds more than one line.
    """
    if variable is None:
        return None
    found = os.environ.get(variable, "").strip()  # a file's last line end comes along
    if not found:
        raise ConfigError(
            expected=f"a key in the environment variable {variable}",
            got="it is empty" if variable in os.environ else "it is not set",
            consequence="nothing was sent",
            remedy=f"export {variable}=... ; the name of the variable is given, not the key",
        )
    if not found.isprintable():
        raise ConfigError(
            expected=f"one line as the key, the password or the token in {variable}",
            got="a line end, or another character that cannot be printed",
            consequence="nothing was sent; it is not shown",
            remedy=f"export {variable} again, with the key alone",
        )
    return found


def password_of(url: str) -> str | None:
    """The password in `url`, as it is sent; None where it has none."""
    try:
        found = urlsplit(url).password
    except ValueError:
        return None
    return None if found is None else unquote(found)


def shown(url: str) -> str:
    """`url` without a user's name and password, as it may be printed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

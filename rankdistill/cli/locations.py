"""Options and arguments that take a place: a local path, or a URL such as `s3://bucket/prefix`."""

from __future__ import annotations

from pathlib import Path


def place(text: str | Path) -> Path:
    """What Typer's `parser=` wants: the path that the user's words name; an object store is contacted.

    (`Path("s3://bucket")` would lose a slash, so these options are not left to Typer.)

    Raises:
        ConfigError: no such protocol.
        MissingDependencyError: the extra `remote` is not installed.
        RemoteError: the object store does not answer, or refuses.
    """
    from rankdistill.locations import location

    return location(text)

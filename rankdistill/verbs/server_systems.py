"""What `evaluate` takes of a running server: its address, and which of its indexes answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import fspath
from typing import Any

from rankdistill.client.client import Client
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.evaluation.served import open_served
from rankdistill.progress import Progress
from rankdistill.verbs.arguments import Place, listed


@dataclass(frozen=True)
class Server:
    """A server that is evaluated: its address, the index that is meant, how it is searched."""

    url: str
    index: str | None
    mode: str | None


def server_of(server: str | None, mode: str | None, index: Place | Sequence[Place] | None) -> Server | None:
    """What is asked; None where no server is named.

    Raises:
        ConfigError: a mode without a server, or several indexes.
    """
    if server is None:
        if mode is not None:
            raise ConfigError(
                expected="mode with the address of a server",
                got=f"mode={mode!r} alone",
                consequence="nothing was evaluated: it would have no effect",
                remedy="add --server URL, or leave it out",
            )
        return None
    indexes = [fspath(one) for one in listed(index)]
    if len(indexes) > 1:
        raise ConfigError(
            expected="one served index by its name, or none: all that the server fuses",
            got=", ".join(indexes),
            consequence="nothing was evaluated",
            remedy="give one, or leave it out",
        )
    return Server(server, indexes[0] if indexes else None, mode)


def require_effect_on_server(**settings: Any) -> None:
    """Raise ConfigError if something is set that a server's search does not read: it has its own models."""
    if given := [name for name, value in settings.items() if value]:
        raise ConfigError(
            expected="settings that a server's search reads: index, mode, api_key_env",
            got=", ".join(given),
            consequence="nothing was evaluated: the server has its own models and settings",
            remedy="leave them out",
        )


@contextmanager
def opened_server(
    asked: Server,
    dataset: Dataset,
    api_key_env: str | None,
    name: str | None,
    progress: Progress,
    turns: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Retriever]:
    """The server as a system, while the block lasts; see `rankdistill.evaluation.served.open_served`."""
    with Client(asked.url, api_key_env=api_key_env) as client:
        yield open_served(
            dataset, client, index=asked.index, mode=asked.mode, name=name, progress=progress, turns=turns
        )

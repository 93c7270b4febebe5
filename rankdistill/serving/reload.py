"""Serving what is there now: on SIGHUP, and when a link leads elsewhere or another folder took the place of one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

from rankdistill.errors import RankdistillError
from rankdistill.manifest import FILE_NAME
from rankdistill.notes import note, tell
from rankdistill.serving.settings import Sources

WATCH_SECONDS = 1.0


class Reloads:
    """Reloads when asked to, and when what is served was exchanged.

    Args:
        sources: as they were given, links included.
        load: loads resolved sources beside what is served, and serves them; it raises what is wrong with them.
    """

    def __init__(self, sources: Sources, load: Callable[[Sources], Awaitable[object]]) -> None:
        self._sources, self._load = sources, load
        self._watch = Watch([*sources.models.values(), *sources.indexes.values()])
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload soon, whether anything changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Watch and reload, for ever; what fails is told, and what was served is served on."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), WATCH_SECONDS)
            if self._asked.is_set() or self._watch.changed():
                self._asked.clear()
                await self._reload()

    async def _reload(self) -> None:
        try:
            await self._load(self._sources.resolved())
        except Exception as error:  # whatever is wrong with the new files, the old ones are served
            why = str(error) if isinstance(error, RankdistillError) else f"{type(error).__name__}: {error}"
            note("the reload failed, and what was served is served on: " + "; ".join(why.splitlines()))
        else:
            tell("reloaded")


class Watch:
    """Looks at places now and then.

    Args:
        references: as they were given: links are what is watched. Those that are no local paths never change.
    """

    def __init__(self, references: Iterable[str]) -> None:
        self._places = [Path(one).expanduser() for one in references]
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether one of them leads elsewhere than when asked last."""
        found = self._look()
        changed, self._seen = found != self._seen, found
        return changed

    def _look(self) -> list[tuple[object, ...]]:
        return [_identity(place) for place in self._places]


def _identity(place: Path) -> tuple[object, ...]:
    """Where it leads, which folder that is, and its manifest, which is written last."""
    real = os.path.realpath(place)
    return (real, *_stat(real, "st_dev", "st_ino"), *_stat(os.path.join(real, FILE_NAME), "st_ino", "st_mtime_ns"))


def _stat(path: str, *fields: str) -> tuple[object, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return tuple(getattr(found, field) for field in fields)

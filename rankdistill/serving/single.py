"""Serving in this process, until a signal stops it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from rankdistill.notes import tell
from rankdistill.serving.loading import described
from rankdistill.serving.process import ServerProcess, on_signals
from rankdistill.serving.reload import Reloads
from rankdistill.serving.settings import ServeSettings, Sources


def serve_here(
    settings: ServeSettings, sources: Sources, listener: socket.socket, started: Callable[[dict[str, Any]], object]
) -> None:
    """Serve until SIGTERM or SIGINT; whatever was accepted is answered then.

    Args:
        settings: how.
        sources: what, as it was given.
        listener: the socket, listening already.
        started: told what is served, when it is warm.

    Raises:
        RankdistillError: what was given does not load.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, sources, listener, started))


async def _serve(
    settings: ServeSettings, sources: Sources, listener: socket.socket, started: Callable[[dict[str, Any]], object]
) -> None:
    process = ServerProcess(settings, listener)
    reloads = Reloads(sources, process.load)

    def stop() -> None:
        tell("shutting down: what was accepted is answered; a second signal ends at once")
        process.drain()

    with on_signals(stop, lambda: None, reloads.ask):
        running = asyncio.create_task(process.run())
        loading = asyncio.create_task(process.load(sources.resolved()))
        await asyncio.wait({running, loading}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            loading.cancel()
        elif loading.exception() is not None:
            process.drain()
        else:
            started(described(loading.result()))
            watching = asyncio.create_task(reloads.run())
            await asyncio.wait({running})
            watching.cancel()
        await running
    if loading.done() and not loading.cancelled():
        loading.result()

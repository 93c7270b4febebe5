"""Several processes that accept from one listening socket: started one after the other, replaced when one dies.

The socket is inherited, not opened anew by each (`SO_REUSEPORT`): what a dead worker had not accepted yet is taken by
another, and who is idle takes what comes. Files are mapped, so the workers share their pages.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.errors import RankdistillError
from rankdistill.notes import note, tell
from rankdistill.serving.control import LINE, Line, raised
from rankdistill.serving.process import on_signals
from rankdistill.serving.reload import Reloads
from rankdistill.serving.settings import ServeSettings, Sources

PROGRAM = "rankdistill.serving.worker"
"""What a worker runs."""

SHORT_SECONDS = 10.0
"""A worker that lived less than this is replaced after a pause, twice as long each time."""

LONGEST_PAUSE = 30.0

HUNG_SECONDS = 60.0
"""Without a sign of life from its event loop a worker is killed and replaced."""

LAST_SECONDS = 5.0
"""What a worker may take to end beyond what the limits allow for draining."""


class Worker:
    """One process, as its supervisor sees it."""

    def __init__(self, process: asyncio.subprocess.Process, line: Line) -> None:
        self.process, self._line = process, line
        self._asked: asyncio.Future[dict[str, Any]] | None = None
        self._turn = asyncio.Lock()
        self.beat = asyncio.get_running_loop().time()
        self._hearing = asyncio.create_task(self._hear())

    @classmethod
    async def start(cls, settings: ServeSettings, listener: socket.socket) -> Worker:
        """Start the program; it loads nothing yet."""
        ours, theirs = socket.socketpair()
        numbers = (listener.fileno(), theirs.fileno())
        package = str(Path(__file__).parents[2])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
        if settings.threads is not None:
            environment["OMP_NUM_THREADS"] = str(settings.threads)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", PROGRAM, *map(str, numbers)),
                pass_fds=numbers,
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
                process_group=0,  # Ctrl-C of a terminal reaches the supervisor alone, which lets them drain
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE)
        writer.write(settings.line().encode() + b"\n")
        return cls(process, Line(reader, writer))

    async def load(self, sources: Sources) -> dict[str, Any]:
        """Let it load and serve; returns what it serves then.

        Raises:
            RankdistillError: it cannot, or it died.
        """
        async with self._turn:
            asked = self._asked = asyncio.get_running_loop().create_future()
            self._line.say(load=sources.to_json())
            if self._hearing.done():
                self._died()
            return await asked

    def drain(self) -> None:
        """Let it answer what it accepted, and end."""
        self._line.say(drain=True)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def ended(self) -> int:
        """Wait for its end; the exit status, or the negative number of a signal."""
        status = await self.process.wait()
        await self._hearing
        self._line.close()
        return status

    async def _hear(self) -> None:
        loop = asyncio.get_running_loop()
        async for message in self._line.heard():
            self.beat = loop.time()
            asked = self._asked
            if asked is None or asked.done():
                continue
            if "loaded" in message:
                asked.set_result(message["loaded"])
            elif "failed" in message:
                asked.set_exception(raised(message["failed"]))
        self._died()

    def _died(self) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(
                RankdistillError(
                    expected="a worker that loads the models and indexes",
                    got="it ended meanwhile",
                    consequence="it serves nothing",
                    remedy="what it wrote above says why; the system kills it where memory runs out: try fewer workers",
                )
            )


class Supervisor:
    """Starts workers, replaces those that die, lets them reload one after the other.

    Args:
        settings: how they serve.
        listener: the socket, listening already.
        number: how many.
    """

    def __init__(self, settings: ServeSettings, listener: socket.socket, number: int) -> None:
        self._settings, self._listener, self._number = settings, listener, number
        self._workers: dict[int, Worker] = {}
        self._sources: Sources | None = None
        self._stopping = asyncio.Event()

    async def run(self, sources: Sources, started: Callable[[dict[str, Any]], object]) -> None:
        """Serve until a signal stops it; see `serve_workers`."""
        reloads = Reloads(sources, self._reload)
        with on_signals(self._stop, self._kill, reloads.ask):
            await self._serve(sources, started, reloads)

    async def _serve(self, sources: Sources, started: Callable[[dict[str, Any]], object], reloads: Reloads) -> None:
        first = asyncio.create_task(self._first(sources.resolved()))
        stopped = asyncio.create_task(self._stopping.wait())
        tasks = [asyncio.create_task(reloads.run()), asyncio.create_task(self._look_after())]
        try:
            await asyncio.wait({first, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                found = first.result()
                tried = [asyncio.Event() for _ in range(self._number)]
                tasks += [asyncio.create_task(self._keep(slot, event)) for slot, event in enumerate(tried)]
                tasks.append(asyncio.create_task(_when_all(tried, lambda: started(found))))
                await stopped
        finally:
            for task in (first, stopped, *tasks):
                task.cancel()
            self._stopping.set()
            await self._end()

    async def _first(self, sources: Sources) -> dict[str, Any]:
        """The first worker alone: it chooses what runs the models, fills caches, and tells what is wrong."""
        worker = self._workers[0] = await self._process(0)
        found = await worker.load(sources)
        self._sources = chosen(sources, found)
        return found

    async def _process(self, slot: int) -> Worker:
        settings = replace(self._settings, worker=slot, eager=self._sources is None)
        return await Worker.start(settings, self._listener)

    async def _launch(self, slot: int) -> None:
        worker = self._workers[slot] = await self._process(slot)
        loaded = None
        while loaded is not self._sources:  # a reload may come meanwhile
            loaded = self._sources
            assert loaded is not None
            await worker.load(loaded)

    async def _reload(self, sources: Sources) -> None:
        """One after the other, so that the rest serve; where the first cannot, none does."""
        living = [worker for worker in self._workers.values() if worker.process.returncode is None]
        if not living or self._sources is None:
            raise RankdistillError(expected="a worker that runs", got="none", consequence="nothing was reloaded")
        first, *others = living
        self._sources = chosen(sources, await first.load(sources))
        for worker in others:
            try:
                await worker.load(self._sources)
            except RankdistillError as error:
                note(f"worker {worker.process.pid} cannot reload, and is replaced: {error.got}")
                worker.kill()

    async def _keep(self, slot: int, tried: asyncio.Event) -> None:
        """Start a worker unless it runs, and replace it whenever it ends; `tried` is set when it was started once."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            began = loop.time()
            if slot not in self._workers:
                try:
                    await self._launch(slot)
                    if tried.is_set():
                        tell(f"worker {self._workers[slot].process.pid} serves in its place")
                except RankdistillError as error:
                    note(f"worker {slot} does not load: {'; '.join(str(error).splitlines())}")
                    self._workers[slot].kill()
            tried.set()
            worker = self._workers[slot]
            status = await worker.ended()
            if self._stopping.is_set():
                return
            pause = min(max(2 * pause, 1.0), LONGEST_PAUSE) if loop.time() - began < SHORT_SECONDS else 0.0
            note(f"worker {worker.process.pid} {_ending(status)}; another takes its place")
            await asyncio.sleep(pause)
            del self._workers[slot]

    async def _look_after(self) -> None:
        """Kill those that hang."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(HUNG_SECONDS / 10)
            for worker in list(self._workers.values()):
                if worker.process.returncode is None and loop.time() - worker.beat > HUNG_SECONDS:
                    note(f"worker {worker.process.pid} gave no sign of life for {HUNG_SECONDS:g} s, and is killed")
                    worker.kill()

    def _stop(self) -> None:
        tell("shutting down: what was accepted is answered; a second signal ends at once")
        self._stopping.set()

    def _kill(self) -> None:
        for worker in self._workers.values():
            worker.kill()

    async def _end(self) -> None:
        """Drain all; kill what does not end in time."""
        self._listener.close()
        for worker in self._workers.values():
            worker.drain()
        ending = [asyncio.create_task(worker.ended()) for worker in self._workers.values()]
        if not ending:
            return
        _, late = await asyncio.wait(ending, timeout=self._settings.limits.drain + LAST_SECONDS)
        if late:
            note(f"{len(late)} of {len(ending)} workers did not end in time, and are killed")
            self._kill()
            await asyncio.wait(late)


def serve_workers(
    settings: ServeSettings,
    sources: Sources,
    listener: socket.socket,
    number: int,
    started: Callable[[dict[str, Any]], object],
) -> None:
    """Serve with `number` processes until SIGTERM or SIGINT; otherwise as `serve_here`."""

    async def run() -> None:
        with files.temporary_folder() as folder:
            await Supervisor(replace(settings, metrics=str(folder)), listener, number).run(sources, started)

    asyncio.run(run())


def chosen(sources: Sources, found: dict[str, Any]) -> Sources:
    """The sources with what runs their models, as one worker chose it: all give the same vectors."""
    return replace(sources, backends={model["name"]: model["backend"] for model in found["models"]})


async def _when_all(events: Sequence[asyncio.Event], then: Callable[[], object]) -> None:
    for event in events:
        await event.wait()
    then()


def _ending(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"

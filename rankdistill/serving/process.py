"""One process that serves: an event loop, the HTTP server, a state that is loaded, watched, replaced and drained."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn

from rankdistill.serving.accepting import Acceptor
from rankdistill.serving.connections import GuardedConfig, GuardedProtocol, guarded, sweep
from rankdistill.serving.contracts import State
from rankdistill.serving.holder import StateHolder
from rankdistill.serving.loading import Loader
from rankdistill.serving.pressure import Pressure
from rankdistill.serving.refusals import OverloadedError
from rankdistill.serving.security import Keys
from rankdistill.serving.settings import ServeSettings, Sources

PROBE_SECONDS = 0.5
"""Between two looks at whether the models answer."""

PROBE_LIMIT = 10.0
"""How long a model may take for the known text; one that hangs is told by its queue, which knows how long runs take."""

STAY_SECONDS = 0.3
"""How long a server that is told to stop still answers at least, 503, so that balancers see it and nothing is reset."""
CUT_SECONDS = 1.0
"""What tasks whose requests were cut, and the last bytes of answers, may take."""


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which answers what it accepted before it closes a connection.

    Args:
        config: its settings.
        drain: seconds that this may take.
    """

    config: GuardedConfig

    def __init__(self, config: GuardedConfig, drain: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._acceptors: list[Acceptor] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are not the server's business."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        self.servers = []
        make = partial(GuardedProtocol, self.config, self.server_state, {}, asyncio.get_running_loop())
        self._acceptors = [Acceptor(one, make) for one in sockets or []]
        self.started = True

    def drain(self) -> None:
        """Answer what was accepted, with `Connection: close`, and end then."""
        self.config.draining = True
        for connection in guarded(self.server_state):
            connection.end_with_answer()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the requests, accept and refuse what comes meanwhile, then close."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() < began + STAY_SECONDS or (self.server_state.tasks and loop.time() < began + self._drain):
            await asyncio.sleep(0.02)
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in guarded(self.server_state):
            connection.cut()
        until = loop.time() + CUT_SECONDS
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < until:
            await asyncio.sleep(0.01)
        for task in list(self.server_state.tasks):
            task.cancel()


class ServerProcess:
    """A process that serves; everything but `load_blocking` happens in its event loop.

    Args:
        settings: how it serves.
        listener: the socket, listening already.
    """

    def __init__(self, settings: ServeSettings, listener: socket.socket) -> None:
        from rankdistill.serving.app import create_app
        from rankdistill.serving.metrics import ServerMetrics

        self._settings, self._listener = settings, listener
        self.holder = StateHolder(settings.limits)
        self.metrics = ServerMetrics(settings.metrics, settings.worker)
        self._keys = self._read_keys()
        self._loader = Loader(settings, self.metrics)
        self._loading = asyncio.Lock()
        app = create_app(self.holder, keys=self._keys, cors=settings.cors, metrics=self.metrics)
        config = GuardedConfig(app, settings.limits, settings.access_log)
        self._server = DrainingServer(config, settings.limits.drain)
        self._pressure = Pressure(settings.limits.wait, self._server.server_state, self._refused)
        config.pressure = self._pressure
        self._background: list[asyncio.Task[Any]] = []
        self._begin = asyncio.Event()
        if settings.eager:
            self._begin.set()

    async def run(self) -> None:
        """Serve until `drain`; returns when all was answered and closed."""
        loop = asyncio.get_running_loop()
        self._background = [
            loop.create_task(sweep(self._server.server_state)),
            loop.create_task(self._pressure.watch()),
            loop.create_task(self._watch()),
        ]
        try:
            await self._begin.wait()
            if not self._server.should_exit:
                await self._server.serve([self._listener])
        finally:
            for task in self._background:
                task.cancel()
            await self.holder.close()

    async def load(self, sources: Sources) -> State:
        """Load beside what is served, and serve it, for the keys that the file holds now; one at a time.

        Raises:
            RankdistillError: it does not load; what was served is served on, for the keys that there were.
        """
        async with self._loading:
            try:
                keys = self._read_keys()
                state = await in_thread(partial(self._loader.load, sources, keys.filters if keys else ()))
            finally:
                abandoned, self._loader.abandoned = self._loader.abandoned, []
                for model in abandoned:
                    await model.close()
            self.holder.replace(state)
            if self._keys is not None and keys is not None:
                self._keys.replace(keys)
            self._begin.set()
            return state

    def _read_keys(self) -> Keys | None:
        file = self._settings.key_file
        return Keys.from_environment() if file is None else Keys.read(file)

    def drain(self) -> None:
        """Refuse what is new, answer what was accepted, and let `run` return."""
        self.holder.drain()
        self._server.drain()
        self._begin.set()

    def _refused(self) -> None:
        self.metrics.responded(429)
        self.metrics.asked(1)
        self.metrics.failed(OverloadedError.kind)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await self.holder.probe(PROBE_LIMIT)


async def in_thread(work: Callable[[], State]) -> State:
    """Run `work` in a thread of its own that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[State] = loop.create_future()

    def told(result: State | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        elif result is not None:
            done.set_result(result)

    def run() -> None:
        try:
            outcome: tuple[State | None, BaseException | None] = (work(), None)
        except BaseException as error:
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(told, *outcome)

    threading.Thread(target=run, name="loading", daemon=True).start()
    return await done


@contextmanager
def on_signals(stop: Callable[[], None], again: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """Let signals reach the running loop: SIGTERM and SIGINT stop it, a second one ends at once, SIGHUP reloads.

    Only the main thread of a process hears signals: elsewhere this does nothing. They do as before afterwards.

    Args:
        stop: called with the first.
        again: called with the second, before the process ends with 128 + its number.
        reload: called with SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    stopping = False

    def stopped(number: int) -> None:
        nonlocal stopping
        if stopping:
            again()
            os._exit(128 + number)
        stopping = True
        stop()

    heard: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGTERM: partial(stopped, signal.SIGTERM),
        signal.SIGINT: partial(stopped, signal.SIGINT),
        signal.SIGHUP: reload,
    }
    before = {number: signal.getsignal(number) for number in heard}
    for number, handler in heard.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number, handler_before in before.items():
            loop.remove_signal_handler(number)
            if handler_before is not None:
                signal.signal(number, handler_before)

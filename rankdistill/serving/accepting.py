"""Taking connections from the socket, many at a time.

uvloop accepts one connection each time that its loop comes round; in a loop that has much to do, clients that have a
connection are answered, and new ones wait for seconds.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from rankdistill.notes import note

AT_ONCE = 64
"""Taken each time that the loop comes round; workers share the socket, so that none takes all."""

PAUSE_SECONDS = 0.2
"""After which it is tried again where no file may be opened."""


class Acceptor:
    """Takes the connections of a listening socket.

    Args:
        listener: the socket, which does not block.
        protocol: makes what handles one.
    """

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listener, self._protocol = listener, protocol
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._told = False
        self._begin()

    def close(self) -> None:
        """Take no more; those that wait are for other workers, or hear that nobody listens."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _begin(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._wait(error)
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task: asyncio.Task[object] = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # the client is gone already
            connection.close()

    def _wait(self, error: OSError) -> None:
        if not self._told and error.errno in (errno.EMFILE, errno.ENFILE):
            self._told = True
            note("no more files may be opened, so connections wait: raise `ulimit -n`, or lower --max-connections")
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._begin)

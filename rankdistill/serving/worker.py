"""The program of a worker: `python -m rankdistill.serving.worker LISTENER CONTROL`, started by `workers`.

Both are numbers of open files that it inherits. It serves what it is told to load, and ends with its supervisor.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress

from rankdistill.errors import RankdistillError
from rankdistill.notes import LOGGER, note
from rankdistill.serving.control import LINE, Line, fault
from rankdistill.serving.settings import ServeSettings, Sources

BEAT_SECONDS = 1.0
"""Between two signs of life."""

BROKEN_SECONDS = 15
"""After which a worker whose model does not answer makes room for another."""


def main() -> None:
    """Serve."""
    import uvloop

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listener, control = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    _log()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(listener, control))
    sys.stderr.flush()
    os._exit(0)  # a back end that hangs keeps no process


async def _work(listener: socket.socket, control: socket.socket) -> None:
    from rankdistill.serving.loading import described
    from rankdistill.serving.process import ServerProcess

    reader, writer = await asyncio.open_connection(sock=control, limit=LINE)
    line = Line(reader, writer)
    settings = ServeSettings.of_line((await reader.readline()).decode())
    try:
        process = ServerProcess(settings, listener)
    except RankdistillError as error:  # the file of keys was broken since the server started
        await reader.readline()  # what it should load
        line.say(failed=fault(error))
        await writer.drain()
        return
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.drain)
    running = asyncio.create_task(process.run())

    async def load(sources: Sources) -> None:
        try:
            line.say(loaded=described(await process.load(sources)))
        except Exception as error:
            line.say(failed=fault(error))

    async def listen() -> None:
        tasks = set()
        async for message in line.heard():
            if "load" in message:
                tasks.add(asyncio.create_task(load(Sources.from_json(message["load"]))))
            elif "drain" in message:
                process.drain()
        process.drain()

    async def live() -> None:
        while True:
            line.say(beat=True)
            await asyncio.sleep(BEAT_SECONDS)

    async def give_up() -> None:
        broken = 0
        while broken < BROKEN_SECONDS:
            await asyncio.sleep(1)
            broken = broken + 1 if process.holder.is_broken else 0
        note(f"a model did not answer for {BROKEN_SECONDS} s, so this worker ends")
        process.drain()

    others = [asyncio.create_task(work()) for work in (listen, live, give_up)]
    await running
    for task in others:
        task.cancel()
    line.close()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*others)


def _log() -> None:
    """What the library notes goes to standard error, as the command shows it."""

    class Noted(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            line = super().format(record)
            return f"note: {line}" if record.levelno >= logging.WARNING else line

    handler = logging.StreamHandler()
    handler.setFormatter(Noted("%(message)s"))
    logging.getLogger(LOGGER).addHandler(handler)
    logging.getLogger(LOGGER).setLevel(logging.INFO)


if __name__ == "__main__":
    main()

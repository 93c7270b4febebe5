"""The socket that a server listens on, bound before anything is loaded, and the number of files that may be open."""

from __future__ import annotations

import errno
import socket

from rankdistill.errors import ConfigError
from rankdistill.notes import note

BACKLOG = 2048

FILES = 256
"""Open files besides connections: indexes, libraries, logs."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        ConfigError: no such address, the port is taken, or this user may not have it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            expected=f"an address and port to listen on, {host}:{port}",
            got=_WHY.get(error.errno or 0, error.strerror or str(error)),
            consequence="no server was started",
            remedy="stop what listens there, or give another --host or --port; --port 0 takes a free one",
        ) from error
    listener.setblocking(False)
    return listener


_WHY = {
    errno.EADDRINUSE: "another program listens there",
    errno.EACCES: "this user may not listen there: ports below 1024 need a privilege",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def url_of(listener: socket.socket) -> str:
    """As `http://127.0.0.1:8080`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def allow_files(connections: int) -> None:
    """Raise this process's limit of open files to what so many connections need; a note where that is not allowed."""
    import resource

    # as many again may be open for the moment in which they hear that the server is full
    wanted = 2 * connections + FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < connections + FILES:
        note(
            f"this user may open {allowed:,} files, too few for {connections:,} connections: raise `ulimit -n`, or give"
            f" --max-connections {max(allowed - FILES, 1)}"
        )

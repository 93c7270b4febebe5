"""A local S3 server, for tests of stores in buckets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

BUCKET = "scores"


@contextmanager
def serving() -> Iterator[str]:
    """The URL of an S3 server in this process; skips where there is none to run."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def chosen(endpoint: str, environment: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the server the one that `s3://` means, empty but for the bucket `BUCKET`."""
    import s3fs

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        environment.delenv(name)
    environment.setenv("AWS_ENDPOINT_URL", endpoint)
    environment.setenv("AWS_ACCESS_KEY_ID", "key")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
    environment.setenv("AWS_MAX_ATTEMPTS", "1")
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    environment.setenv("NO_PROXY", "127.0.0.1")
    s3fs.S3FileSystem.clear_instance_cache()
    tell(endpoint, "reset")
    s3fs.S3FileSystem().mkdir(BUCKET)
    yield
    s3fs.S3FileSystem.clear_instance_cache()


def tell(endpoint: str, what: str, data: bytes = b"") -> None:
    """Set the server up: `reset`, or `reset-auth` with the number of requests that need no right credentials."""
    headers = {"Content-Type": "text/plain"}
    urlopen(Request(f"{endpoint}/moto-api/{what}", data=data, headers=headers, method="POST")).close()

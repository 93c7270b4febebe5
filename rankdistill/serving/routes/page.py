"""The search page: three files of the package, without a key, for they say nothing; what they ask for needs one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files

from rankdistill.serving.exchange import Answer, Request, Route

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)
"""Nothing comes from elsewhere, nothing stands in the page itself, and no other page may show it in a frame."""

HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)

FILES = {
    "/": ("index.html", "text/html"),
    "/page/search.css": ("search.css", "text/css"),
    "/page/search.js": ("search.js", "text/javascript"),
}
"""Path -> file of `rankdistill/serving/page`, and its type of media."""


@cache
def _content(name: str) -> bytes:
    return files("rankdistill.serving").joinpath("page", name).read_bytes()


def _sender(name: str, media_type: str) -> Callable[[Request], Awaitable[Answer]]:
    async def send(request: Request) -> Answer:
        return Answer(_content(name), f"{media_type}; charset=utf-8".encode(), headers=HEADERS)

    return send


ROUTES = tuple(
    Route(
        "GET",
        path,
        _sender(*file),
        f"The search page: {file[0]}",
        response=file[1],
        public=True,
        needs_state=False,
        listed=False,
    )
    for path, file in FILES.items()
)

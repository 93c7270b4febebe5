"""`/openapi.json` and `/docs`."""

from __future__ import annotations

from typing import Any

import orjson

from rankdistill.serving.exchange import Answer, Request, Route


async def openapi(request: Request) -> Answer:
    """`GET /openapi.json`: of the models that are served now."""
    from rankdistill.serving.openapi import document
    from rankdistill.serving.routes.registry import routes

    made = request.state.facts.get("openapi")
    if made is None:
        made = orjson.dumps(document(routes(), request.limits, request.state, request.keyed))
        request.state.facts["openapi"] = made
    return Answer(made)


async def docs(request: Request) -> Answer:
    """`GET /docs`: Swagger UI, which the browser loads from its public address."""
    from fastapi.openapi.docs import get_swagger_ui_html

    page = get_swagger_ui_html(openapi_url="openapi.json", title="rankdistill")
    return Answer(bytes(page.body), b"text/html; charset=utf-8")


ROUTES = (
    Route("GET", "/openapi.json", openapi, "This document", response=dict[str, Any]),
    Route("GET", "/docs", docs, "This document, to read and to try", response="text/html", needs_state=False),
)

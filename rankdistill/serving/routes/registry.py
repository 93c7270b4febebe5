"""The families of routes."""

from __future__ import annotations

from importlib import import_module

from rankdistill.serving.exchange import Route

ROUTES = {
    "openai": "rankdistill.serving.routes.openai",
    "page": "rankdistill.serving.routes.page",
    "search": "rankdistill.serving.routes.search",
    "cohere": "rankdistill.serving.routes.cohere",
    "tei": "rankdistill.serving.routes.tei",
    "info": "rankdistill.serving.routes.info",
    "documentation": "rankdistill.serving.routes.documentation",
    "status": "rankdistill.serving.routes.status",
}
"""Family -> its module, whose `ROUTES` are served; a new family is one line here."""


def routes(page: bool = True) -> list[Route]:
    """All routes; without those of the search page unless `page`."""
    families = [name for name in ROUTES if page or name != "page"]
    return [route for name in families for route in import_module(ROUTES[name]).ROUTES]

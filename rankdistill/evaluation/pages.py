"""Static HTML pages from the templates of this package: everything escaped, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPT = "page.js.j2"
"""The script of every page, which sorts its tables; the only one that a browser runs there."""


def render(template: str, **values: object) -> str:
    """The page that `template` gives; a value that the template needs and does not get is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """It keeps the templates that it compiled."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("rankdistill.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    script = made.get_template(SCRIPT).render()
    made.globals |= {"script": Markup(script), "policy": _policy(script)}
    return made


def _policy(script: str) -> str:
    """A Content-Security-Policy under which a page loads nothing and runs nothing but `script`."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"

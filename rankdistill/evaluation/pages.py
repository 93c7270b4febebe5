"""Static HTML pages from the templates of this package: everything escaped, nothing loaded from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: object) -> str:
    """The page that `template` gives; a value that the template needs and does not get is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """It keeps the templates that it compiled."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("rankdistill.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )

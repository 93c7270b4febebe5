"""Static HTML pages from the templates of this package: everything escaped, nothing loaded from elsewhere."""

from __future__ import annotations


def render(template: str, **values: object) -> str:
    """The page that `template` gives; a value that the template needs and does not get is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rankdistill.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(**values)

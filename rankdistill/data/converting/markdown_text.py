"""The text of a Markdown file: as its HTML page reads, without what stands between `---` at its beginning."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rankdistill import plain_yaml
from rankdistill._extras import require
from rankdistill.data.converting import html_text
from rankdistill.data.converting.html_text import Page

_FRONT = re.compile(r"\A---[ \t]*\n((?:#[^\n]*\n|[ \t]*\n)*[\w-]+[ \t]*:.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
"""Settings at the beginning, as makers of web sites have them."""


_LINES = re.compile(r"(?:(?:[\w-]+[ \t]*:|[ \t#-])[^\n]*(?:\n|\Z)|\n)*")
"""Lines of settings alone."""

_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)


def read(markdown: str) -> Page:
    """Title (of the settings at its beginning), first heading and text; CommonMark and tables.

    Raises:
        RowError: see `html_text.read`.
        MissingDependencyError: the libraries that read Markdown are not installed.
    """
    front = _FRONT.match(markdown)
    settings = _settings(front[1]) if front else None
    reader = require("markdown_it", "reading Markdown").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    page = html_text.read(reader.render(markdown[front.end() :] if front and settings is not None else markdown))
    title = (settings or {}).get("title")
    return page._replace(title=" ".join(str(title).split()) if isinstance(title, str) else "")


def _settings(block: str) -> Mapping[object, object] | None:
    """The settings in a block of YAML; None where it is none, but text between two lines."""
    try:
        found = plain_yaml.texts(block)
    except ValueError:
        title = _TITLE.search(block)  # as in `title: one: two`, which is no YAML and is written all the same
        return {"title": title[1] if title else ""} if _LINES.fullmatch(block) else None
    return found if isinstance(found, dict) else None

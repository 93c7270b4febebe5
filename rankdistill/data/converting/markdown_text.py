"""The text of a Markdown file: as its HTML page reads, without what stands between `---` at its beginning."""

from __future__ import annotations

import re

from rankdistill._extras import require
from rankdistill.data.converting import html_text
from rankdistill.data.converting.html_text import Page

_FRONT = re.compile(r"\A---[ \t]*\n((?:#[^\n]*\n|[ \t]*\n)*[\w-]+[ \t]*:.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
"""Settings at the beginning, as makers of web sites have them."""

_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)


def read(markdown: str) -> Page:
    """Title (of the settings at its beginning), first heading and text; CommonMark and tables.

    Raises:
        RowError: see `html_text.read`.
        MissingDependencyError: the libraries that read Markdown are not installed.
    """
    front = _FRONT.match(markdown)
    title = _TITLE.search(front[1]) if front else None
    reader = require("markdown_it", "reading Markdown").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    page = html_text.read(reader.render(markdown[front.end() :] if front else markdown))
    return page._replace(title=_unquoted(title[1]) if title else "")


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value

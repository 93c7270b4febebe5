"""The text of an HTML page: what a reader sees, a paragraph between empty lines; scripts, styles and menus are none."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from rankdistill._extras import require
from rankdistill.data.values import RowError

DROPPED = frozenset(
    {
        *("head", "script", "style", "template", "noscript", "nav", "svg", "math", "iframe", "object", "canvas"),
        *("audio", "video", "button", "select", "textarea"),
    }
)
"""Elements of which nothing is text."""

PARAGRAPHS = frozenset(
    {
        *("h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "dl", "table", "pre", "blockquote", "section", "hr"),
        *("article", "header", "footer", "main", "aside", "figure", "form", "fieldset", "details"),
    }
)
"""Elements between empty lines."""

LINES = frozenset({"div", "li", "tr", "dt", "dd", "caption", "figcaption", "address", "summary", "legend", "body"})
"""Elements on lines of their own."""

CELLS = frozenset({"td", "th"})

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_CHARSET = re.compile(
    rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]+encoding=[\"']([\w.:-]+)", re.IGNORECASE
)


LABELS = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "ascii", "us-ascii"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "iso8859-9", "latin5", "l5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j"), "cp932"),
    **dict.fromkeys(("gb2312", "gb_2312-80", "gbk", "x-gbk", "chinese"), "gb18030"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "korean"), "cp949"),
    **dict.fromkeys(("big5", "x-x-big5", "cn-big5"), "big5hkscs"),
    "x-cp1252": "cp1252",
    "x-user-defined": "cp1252",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
}
"""What a page says -> the codec that browsers read it with (encoding.spec.whatwg.org); others are called alike."""


class Page(NamedTuple):
    """What a page says: its `<title>`, its first heading (each may be empty) and its text."""

    title: str
    heading: str
    text: str


def declared(data: bytes) -> str | None:
    """The codec of the encoding that a page names in its first bytes; None where it names none that can be.

    A page in which that name can be read is in no 16-bit encoding, whatever it says.
    """
    found = _CHARSET.search(data[:2048])
    if found is None:
        return None
    name = next(name for name in found.groups() if name).decode("ascii", "replace").lower()
    return None if name.startswith(("utf-16", "ucs-2")) else LABELS.get(name, name)


def read(html: str) -> Page:
    """The text of a page; broken HTML is read as browsers do, as far as it goes.

    Raises:
        RowError: elements in one another without end, of which the rest would be lost.
        MissingDependencyError: the library that reads HTML is not installed.
    """
    etree = require("lxml.etree", "reading HTML and Markdown")
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(html.encode("utf-8", "replace"), parser) if html.strip() else None
    if any(one.level_name == "FATAL" for one in parser.error_log):
        raise RowError(f"HTML that cannot be read: {parser.error_log[-1].message}")
    if root is None:
        return Page("", "", "")
    title = root.find(".//title")
    heading = next((found for one in root.iter(*_HEADINGS) if (found := _words(one))), "")
    return Page("" if title is None else _words(title), heading, _text(etree, root))


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


class _Lines:
    """Text that is put together, white space as a browser shows it."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.waiting = 0
        self.ended = True

    def add(self, text: str | None, as_it_is: bool) -> None:
        """The text of an element, or what follows one."""
        found = text or "" if as_it_is else re.sub(r"[ \t\n\r\f]+", " ", text or "")
        if not as_it_is and (self.ended or self.waiting):
            found = found.removeprefix(" ")
        if found:
            self.parts += ["\n" * self.waiting, found]
            self.ended, self.waiting = found[-1].isspace(), 0

    def end(self, lines: int) -> None:
        """What comes next is on a new line, or below so many."""
        self.waiting = max(self.waiting, lines) if self.parts else 0

    def text(self) -> str:
        """All of it, without white space at the ends of lines."""
        lines = re.sub(r"[ \t]+$", "", "".join(self.parts).replace("\xa0", " "), flags=re.MULTILINE)
        return re.sub(r"\n{3,}", "\n\n", lines).strip("\n ")


def _text(etree: Any, root: Any) -> str:
    out, fixed = _Lines(), 0
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        name = element.tag
        if name in DROPPED:
            if event == "start":
                walk.skip_subtree()
            else:
                out.add(element.tail, fixed > 0)
            continue
        if name in PARAGRAPHS:
            out.end(2)
        elif name == "br":
            out.end(min(out.waiting + (event == "end"), 2))
        elif name in LINES:
            out.end(1)
        elif name in CELLS and event == "end":
            out.add(" ", False)
        if name == "pre":
            fixed += 1 if event == "start" else -1
        out.add(element.text if event == "start" else element.tail, fixed > 0)
    return out.text()

"""The search page in headless Chromium."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.serving.page.browser import Browser
from tests.serving.retrieval.conftest import QUERIES

QUERY = QUERIES[2]
ASKED = "?q=" + QUERY.replace(" ", "+")
SHOWN = "document.getElementById('search-form').hidden === false"
DONE = (
    "document.getElementById('results').getAttribute('aria-busy') === 'false'"
    " && document.getElementById('status').textContent.includes(' ms')"
)


def opened(browser: Browser, address: str, search: str = "") -> None:
    """The page, when it knows what is served."""
    browser.events.clear()
    browser.open(f"{address}/{search}")
    assert browser.until(f"location.href.startsWith('{address}') && {SHOWN}")


def searched(browser: Browser, panel: int = 1) -> list[str]:
    """The ids that are shown, when the search is done."""
    assert browser.until(DONE), browser.run("document.body.innerText")
    return browser.each(f"section:nth-child({panel}) li", "one.dataset.id")


def asked(address: str, **body: Any) -> list[str]:
    """The ids that the server gives."""
    found = httpx.post(f"{address}/search", json={"query": QUERY, **body}).json()
    return [hit["id"] for hit in found["hits"]]


def test_it_is_used_by_keyboard_alone(browser: Browser, site: str) -> None:
    opened(browser, site)
    assert "48 documents" in browser.told("served")
    assert browser.run("document.activeElement.id") == "query"
    browser.type(QUERY)
    browser.press("Enter", 13)
    assert searched(browser) == asked(site, index="dense")
    assert re.match(r"Dense: 10 documents in [\d.]+ ms", browser.told("status"))
    order = []
    for _ in range(5):
        browser.press("Tab", 9)
        order.append(browser.run("[document.activeElement].map((one) => one.id || one.name || one.tagName)[0]"))
    assert order == ["BUTTON", "way", "other", "count", "SUMMARY"]
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("way", "body"),
    [
        ("sparse", {"index": "sparse"}),
        ("bm25", {"index": "bm25"}),
        ("*", {"mode": "fused"}),
        ("dense +", {"index": "dense", "rerank": True}),
    ],
)
def test_each_way_shows_what_the_server_finds(way: str, body: dict[str, Any], browser: Browser, site: str) -> None:
    opened(browser, site, ASKED)
    searched(browser)
    browser.run(f"document.querySelector('input[value=\"{way}\"]').click()")
    assert browser.until(f"new URLSearchParams(location.search).get('with') === '{way}'")
    assert searched(browser) == asked(site, **body)
    terms = browser.each("tbody tr", "[one.cells[0].textContent, one.cells[3].textContent]")
    assert bool(terms) == (way in ("sparse", "*"))
    for term, source in terms:
        assert (source == "in the query") == (term in QUERY.split())


def test_two_ways_stand_side_by_side(browser: Browser, site: str) -> None:
    opened(browser, site, f"{ASKED}&with=dense&other=bm25&k=5")
    left, right = searched(browser), searched(browser, 2)
    assert left == asked(site, index="dense", k=5)
    assert right == asked(site, index="bm25", k=5)
    both = dict(browser.each("section:nth-child(1) li.both", "[one.dataset.id, one.lastChild.textContent]"))
    assert both == {doc_id: f"{right.index(doc_id) + 1}. with BM25" for doc_id in left if doc_id in right}
    tops = browser.each("section", "one.getBoundingClientRect().top")
    assert tops[0] == tops[1]
    browser.size(360, 640)
    tops = browser.each("section", "one.getBoundingClientRect().top")
    assert tops[0] < tops[1]
    assert browser.run("document.documentElement.scrollWidth") <= 360
    browser.size(1280, 900)


def test_a_filter_is_built_or_written(browser: Browser, site: str) -> None:
    opened(browser, site, ASKED)
    searched(browser)
    browser.run("document.querySelector('summary').click(), document.getElementById('value').focus()")
    browser.type("2")
    browser.press("Enter", 13)
    written = json.loads(browser.told("filter", "value"))
    assert written == {"must": [{"field": "shelf", "equals": 2}]}
    browser.submit()
    assert browser.until("location.search.includes('filter')")
    assert searched(browser) == asked(site, index="dense", filter=written)
    assert set(browser.each("dd", "one.textContent")) == {"2"}
    browser.fill("filter", '{"must": [')
    browser.submit()
    assert "not a JSON object" in browser.told("filter-error")
    assert browser.run("document.activeElement.id") == "filter"
    browser.fill("filter", '{"must": [{"field": "size", "equals": 1}]}')
    browser.submit()
    assert "shelf" in browser.until("document.getElementById('error').textContent")
    assert browser.each("section", "1") == []


def test_a_key_is_typed_in(browser: Browser, locked: str) -> None:
    browser.open(locked)
    assert browser.until(f"location.href.startsWith('{locked}') && document.activeElement.id === 'key'")
    browser.type("wrong")
    browser.press("Enter", 13)
    assert browser.until("document.getElementById('error').textContent.includes('does not know')")
    browser.type("sesame")
    browser.press("Enter", 13)
    assert browser.until(SHOWN)
    browser.type(QUERY)
    browser.press("Enter", 13)
    assert len(searched(browser)) == 10
    opened(browser, locked)  # the tab keeps it
    browser.run("sessionStorage.clear()")


def test_every_control_has_a_name(browser: Browser, site: str) -> None:
    opened(browser, site, f"{ASKED}&with=sparse&other=bm25")
    searched(browser)
    browser.run("document.getElementById('filter-box').open = true")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node.get("ignored") and "role" in node
    ]
    controls = {"textbox", "searchbox", "button", "radio", "combobox", "spinbutton", "region"}
    assert [role for role, name in named if role in controls and not name] == []
    assert {("searchbox", "Query"), ("radio", "Sparse"), ("region", "BM25"), ("combobox", "Compare with")} <= set(named)
    assert {"banner", "main", "search", "status", "heading"} <= {role for role, _ in named}


CONTRAST = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((one) => {
    const part = Number(one) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const light = (colour) => { const [r, g, b] = parts(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = getComputedStyle(one).backgroundColor;
      if (!found.endsWith(', 0)')) return found;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')].filter((one) => one.innerText && one.checkVisibility()).map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), one.tagName + '.' + one.className];
  }).sort((x, y) => x[0] - y[0])[0];
})()"""


def test_it_is_read_in_light_and_in_the_dark(browser: Browser, site: str) -> None:
    opened(browser, site, f"{ASKED}&with=sparse&other=dense")
    searched(browser)
    grounds = []
    for dark in (False, True):
        browser.dark(dark)
        ratio, where = browser.run(CONTRAST)
        assert ratio >= 4.5, where
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]
    browser.dark(False)

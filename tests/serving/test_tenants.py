"""Keys with a filter: what they may see, and that an index can hold it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rankdistill
from rankdistill.errors import ConfigError
from rankdistill.serving.app import create_app
from rankdistill.serving.loading import Loader
from rankdistill.serving.security import Keys
from rankdistill.serving.settings import ServeSettings, Sources
from tests.serving.fakes import FakeHolder, FakeModel, FakeSearch, ask

ACME = {"must": [{"field": "tenant", "equals": "acme"}]}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """One that may see all, and one of a tenant."""
    (tmp_path / "keys").write_text(f"all\nacme {json.dumps(ACME)}\n")
    return Keys.read(tmp_path / "keys")


def test_the_filter_of_a_key_goes_with_every_search(keys: Keys) -> None:
    """Beside the request's own, which cannot take its place."""
    search = FakeSearch()
    app = create_app(FakeHolder(FakeModel(), search=search), keys=keys)
    own = {"should": [{"field": "tenant", "equals": "other"}]}
    for path, body in (("/search", {"query": "a", "filter": own}), ("/search/batch", [{"query": "a"}])):
        assert ask(app, path, body, headers={"Authorization": "Bearer acme"}).status == 200
        assert search.asked[-1][1] == ACME
        assert ask(app, path, body, headers={"Authorization": "Bearer all"}).status == 200
        assert search.asked[-1][1] is None
    assert search.asked[0][0][0].filter == own


def test_an_index_without_the_field_is_not_served(keys: Keys, tmp_path: Path) -> None:
    """Every search of that tenant would be refused: the server says so when it starts."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "corpus.jsonl").write_text('{"_id": "d", "text": "a river", "tenant": "acme"}\n')
    for name, fields in (("with", ["tenant"]), ("without", [])):
        rankdistill.index(tmp_path / "data", None, tmp_path / name, factory="bm25", fields=fields)
    loader = Loader(ServeSettings())
    assert loader.load(Sources({}, indexes={"words": str(tmp_path / "with")}), keys.filters).search is not None
    with pytest.raises(ConfigError, match="tenant"):
        loader.load(Sources({}, indexes={"words": str(tmp_path / "without")}), keys.filters)

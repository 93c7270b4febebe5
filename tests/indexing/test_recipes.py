"""Every committed index recipe is valid and builds; mistakes are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError
from rankdistill.indexing import recipes, registry

COMMITTED = sorted((Path(__file__).parents[2] / "indexes").glob("*.yaml"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_committed_recipe_builds_an_index_that_finds_its_vectors(path: Path) -> None:
    recipe = recipes.read(path)
    vectors = np.random.default_rng(0).normal(size=(600, 96)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = registry.create(registry.IndexSettings(96, "cosine", recipe.factory))
    index.add([str(number) for number in range(600)], vectors)
    ids, _ = index.search(vectors[:50], 10)
    found = np.mean([str(number) in row for number, row in enumerate(np.asarray(ids).tolist())])
    assert found >= 0.9


@pytest.mark.parametrize("content", ["- a", "factory: [", "factroy: Flat", "shard_size: 0"])
def test_mistakes_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"r\.yaml"):
        recipes.read(tmp_path / "r.yaml")
    with pytest.raises(ConfigError, match="absent"):
        recipes.read(tmp_path / "absent.yaml")

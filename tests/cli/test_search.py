"""The verb `search`, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.cli.search import search
from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing import build
from tests.cli.verb import run_verb


@pytest.fixture
def index(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> Path:
    build(data.load(tiny_beir), tiny_encoder, tmp_path / "index", snippet_length=8, backend="torch")
    return tmp_path / "index"


def test_the_document_asked_for_comes_first_with_its_beginning(index: Path, tiny_beir: Path) -> None:
    text = data.load(tiny_beir).contents["d07"]
    lines = run_verb(search, "--index", index, "--query", text, "--k", 3, "--backend", "torch").stdout.splitlines()
    assert lines[0].split() == ["1", "1.0000", "d07", *text[:8].split()]
    assert len(lines) == 3


def test_several_queries_and_whole_texts(index: Path, tiny_beir: Path) -> None:
    contents = data.load(tiny_beir).contents
    line = ["--index", index, "--query", "a river", "--query", "bread", "--k", 2, "--backend", "torch"]
    lines = run_verb(search, *line, "--data", tiny_beir).stdout.splitlines()
    assert lines[0] == "# a river"
    assert lines[3] == "# bread"
    assert contents[lines[1].split()[2]] in lines[1]


def test_another_model_is_refused(index: Path, tiny_bert: Path, tiny_encoder: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(tiny_encoder, device="cpu", truncate_dim=None)
    other[0].model.embeddings.word_embeddings.weight.data += 0.5
    other.save(str(tmp_path / "other"), create_model_card=False)
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        run_verb(search, "--index", index, "--query", "a", "--model", tmp_path / "other", "--backend", "torch")


def test_bad_input_is_an_error_of_ours(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        run_verb(search, "--index", tmp_path / "nowhere", "--query", "a")
    with pytest.raises(ConfigError, match="at least 1"):
        run_verb(search, "--index", index, "--query", "a", "--k", 0, "--backend", "torch")


def test_several_indexes_are_fused(index: Path, tiny_beir: Path, tmp_path: Path) -> None:
    build(data.load(tiny_beir), None, tmp_path / "words", factory="bm25")
    text = data.load(tiny_beir).contents["d07"]
    line = ["--index", index, "--index", tmp_path / "words", "--query", text, "--k", 3]
    lines = run_verb(search, *line, "--fusion", "min_max", "--weights", "1,3").stdout.splitlines()
    assert lines[0].split()[:3] == ["1", "1.0000", "d07"]
    assert len(lines) == 3
    with pytest.raises(ConfigError, match="--fusion rrf"):
        run_verb(search, *line)
    with pytest.raises(ConfigError, match="with its own"):
        run_verb(search, *line, "--fusion", "rrf", "--model", "any")
    with pytest.raises(ConfigError, match="several --index"):
        run_verb(search, "--index", index, "--query", "a", "--fusion", "rrf")

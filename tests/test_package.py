"""The package as a whole: what importing it loads, what the wheel holds, what is public."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import rankdistill
from rankdistill import errors

ROOT = Path(rankdistill.__file__).parent.parent
HEAVY = ("torch", "faiss", "transformers", "sentence_transformers", "mteb", "beir", "datasets", "openvino", "polars")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("statement", ["import rankdistill", "from rankdistill.cli.main import build_app; build_app()"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_by(statement) & set(HEAVY)


def test_every_public_name_can_be_imported() -> None:
    assert rankdistill.__all__ == sorted(rankdistill.__all__)
    for name in rankdistill.__all__:
        assert getattr(rankdistill, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        rankdistill.no_such_name  # noqa: B018


def test_an_interactive_session_completes_public_names_alone() -> None:
    assert [name for name in dir(rankdistill) if not name.startswith("_")] == rankdistill.__all__


def test_setup_cfg_is_the_only_home_of_metadata() -> None:
    assert "[project]" not in (ROOT / "pyproject.toml").read_text()
    assert not (ROOT / "setup.py").exists()
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["metadata"]["license"] == "Apache-2.0"


def test_the_extra_all_takes_every_other_but_the_heavy_ones() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    (taken,) = re.findall(r"rankdistill\[(.*)\]", extras["all"])
    assert set(taken.split(",")) == set(extras) - {"all", "dev", "gpu", "lucene", "ray"}
    assert "but `gpu`, `lucene` and `ray`" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shown", "home"), [("recipes", "rankdistill/recipe/shipped"), ("indexes", "rankdistill/indexing/shipped")]
)
def test_the_recipes_of_the_repository_are_links_to_those_of_the_package(shown: str, home: str) -> None:
    """One file each: the package takes it into the wheel, and the folder at the top shows it."""
    shipped = {path.name: path for path in (ROOT / home).glob("*.yaml")}
    assert len(shipped) > 2
    assert {path.name: path.resolve() for path in (ROOT / shown).glob("*.yaml")} == shipped


def test_the_wheel_holds_every_sub_package_and_its_data(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "rankdistill").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= packed
    assert {"rankdistill/recipe/shipped/quickstart.yaml", "rankdistill/indexing/shipped/hnsw32.yaml"} <= packed
    (metadata,) = (name for name in packed if name.endswith(".dist-info/METADATA"))
    told = zipfile.ZipFile(wheel).read(metadata).decode()
    assert re.findall(r"^Project-URL: (\w+), https://", told, re.MULTILINE) == ["Homepage", "Download"]
    runs_from(Path(wheel), tmp_path)
    assert not {name for name in packed if name.startswith(("tests/", "benchmarks/"))}


def runs_from(wheel: Path, folder: Path) -> None:
    """An unpacked wheel knows its recipes by name, where no checkout is at hand."""
    unpacked, here = folder / "unpacked", folder / "here"
    zipfile.ZipFile(wheel).extractall(unpacked)
    here.mkdir()
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import rankdistill;"
        "from rankdistill.recipe import loading; from rankdistill.indexing import recipes;"
        "assert Path(rankdistill.__file__).is_relative_to(sys.argv[1]), rankdistill.__file__;"
        "print(loading.load('quickstart').name, recipes.read(Path('hnsw32')).factory)"
    )
    command = [sys.executable, "-c", code, str(unpacked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    assert done.stdout.split() == ["quickstart", "HNSW32"], done.stderr


def test_every_error_says_what_to_do_and_survives_pickling() -> None:
    import pickle

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 10
    for kind in kinds:
        error = kind(expected="a", got="b", consequence="c", remedy="d")
        assert str(error) == "expected: a\ngot: b\nconsequence: c\nremedy: d"
        assert str(pickle.loads(pickle.dumps(error))) == str(error)

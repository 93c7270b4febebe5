"""CONTRIBUTING's recipes, followed to the letter in a copy of the repository: one file, one line, then the command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rankdistill
from rankdistill import names
from rankdistill.data import load
from rankdistill.ensembles.calibration import CALIBRATIONS
from rankdistill.formats.registry import FORMATS
from rankdistill.fusion.fusion import METHODS
from rankdistill.indexing import registry as index_registry
from rankdistill.indexing.sources import KINDS as SOURCES
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.http.apis import APIS
from rankdistill.teachers.registry import TEACHERS
from tests.forked import Forked

ROOT = Path(rankdistill.__file__).parent.parent
RECIPES = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

LOSS_LINE = '"reverse_kl": Loss("rankdistill.losses.reverse_kl:reverse_kl"),'
LOSS = '''"""KL divergence of the student's distribution from the teacher's: it seeks a mode instead of covering all."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.checks import require_pair, require_temperature


def reverse_kl(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """`mean_b sum_i q_bi (log q_bi - log p_bi)`, `p = softmax(t / T_t)`, `q = softmax(s / T_s)`."""
    require_pair(student_scores, teacher_scores)
    require_temperature("student temperature", student_temperature)
    require_temperature("teacher temperature", teacher_temperature)
    student_logs = (student_scores / student_temperature).log_softmax(dim=1)
    teacher_logs = (teacher_scores / teacher_temperature).log_softmax(dim=1)
    return (student_logs.exp() * (student_logs - teacher_logs)).sum(dim=1).mean()
'''

TEACHER_LINE = '"shared_words": "rankdistill.teachers.shared_words",'
TEACHER = '''"""A teacher that counts the words that a query and a document share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.teachers.base import Progress, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.settings import Settings as BaseSettings


class Settings(BaseSettings):
    """Settings of a `shared_words` teacher: what a word counts."""

    weight: float = 1.0


class SharedWords:
    """Counts."""

    score_kind: ScoreKind = "dot"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The weight."""
        return {"kind": "shared_words", **self.settings.model_dump()}

    @property
    def teacher_id(self) -> str:
        """Of the fingerprint."""
        return teacher_id("shared_words", self.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """float32[n]."""
        shared = [len(set(query.split()) & set(document.split())) for query, document in pairs]
        if progress is not None:
            progress(len(pairs))
        return check_scores(self.teacher_id, pairs, np.array(shared, np.float32) * self.settings.weight)


def load(settings: Settings) -> SharedWords:
    """The teacher."""
    return SharedWords(settings)
'''

INDEX_LINE = '"double": "rankdistill.indexing.double:BACKEND",'
INDEX = '''"""Exact search in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Allowed, Ids, Scores, Vectors
from rankdistill.indexing.deepening import deepened_ids
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.topk import top_k
from rankdistill.indexing.vectors import check_new, check_queries, normalised


class DoubleIndex:
    """Vectors in one array."""

    def __init__(self, settings: IndexSettings) -> None:
        self.settings = settings
        self.ids: list[str] = []
        self.vectors = np.empty((0, settings.dimension))

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """See `Index.add`."""
        check_new(ids, vectors, self.settings.dimension, self.ids)
        self.vectors = np.concatenate([self.vectors, self._prepared(vectors)])
        self.ids.extend(ids)

    def search(self, vectors: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`."""
        check_queries(vectors, self.settings.dimension, k)
        if allowed is not None:
            return deepened_ids(lambda depth: self.search(vectors, depth), self.ids, allowed, k)
        scores = (self._prepared(vectors) @ self.vectors.T).astype(np.float32)
        best = top_k(scores, k)
        return named(best, self.ids), np.take_along_axis(scores, best, axis=1)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        np.save(folder / "double.npy", self.vectors)
        write_ids(folder, self.ids)

    def _prepared(self, vectors: Vectors) -> np.ndarray:
        return (normalised(vectors) if self.settings.similarity == "cosine" else vectors).astype(np.float64)


def _create(settings: IndexSettings, threads: int) -> DoubleIndex:
    return DoubleIndex(settings)


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> DoubleIndex:
    index = DoubleIndex(settings)
    index.vectors = np.load(folder / "double.npy")
    index.ids = read_ids(folder, len(index.vectors))
    return index


BACKEND = Backend(_create, _load)
'''

DRIVER = """
import json, sys
import rankdistill
from rankdistill.cli import main as cli
assert rankdistill.__file__.startswith(sys.argv[1]), rankdistill.__file__
for words in json.loads(sys.argv[2]):
    sys.argv = ["rankdistill", *words]
    try:
        cli.main()
        status = 0
    except SystemExit as stop:
        status = int(stop.code or 0)
    print(f"\\n=== {status}", flush=True)
"""


OPTIONS = ("-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Of pytest: a plugin that nothing here uses came with the libraries, which are there already."""


class Copy:
    """The repository once more, to be added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "rankdistill", "tests"]
        found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
        for name in [*filter(None, found), "pyproject.toml"]:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)

    def add(self, file: str, text: str, registry: str, under: str, line: str) -> None:
        """Write the file; put the line below the line `under` of the registry."""
        assert not (self.folder / file).exists()
        (self.folder / file).write_text(text)
        before = (self.folder / registry).read_text()
        found = re.findall(rf"^( *){re.escape(under)}\n", before, re.MULTILINE)
        assert len(found) == 1, f"{registry} has {under!r} {len(found)} times"
        opening = found[0] + under + "\n"
        (self.folder / registry).write_text(before.replace(opening, f"{opening}{found[0]}    {line}\n"))

    def rankdistill(self, *commands: Sequence[object]) -> list[tuple[int, str]]:
        """Status and output of each command line, one after the other in one process."""
        words = json.dumps([[str(word) for word in command] for command in commands])
        _, shown = self._run(DRIVER, str(self.folder), words)
        parts = re.split(r"^=== (\d+)\n", shown, flags=re.MULTILINE)
        return [(int(status), text) for text, status in zip(parts[::2], parts[1::2], strict=False)]

    def tests(self, *words: str) -> str:
        """What pytest says, all of whose tests must pass."""
        status, said = self._run("import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))", *OPTIONS, *words)
        assert status == 0, said
        return said

    def _run(self, program: str, *words: str) -> tuple[int, str]:
        """Status and output of a program that imports the copy."""
        wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
        with Forked(program, *words, environment=wide, folder=self.folder, path=self.folder, together=True) as process:
            return process.ended(), process.out


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "copy")


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("A loss on scores.", ["`losses/`", "`LOSSES` of `rankdistill/names.py`", LOSS_LINE]),
        ("A teacher.", ["`teachers/`", "`TEACHERS` of `teachers/registry.py`", TEACHER_LINE]),
        ("An index.", ["`indexing/`", "`BACKENDS` of `indexing/registry.py`", INDEX_LINE]),
    ],
)
def test_the_recipes_that_are_followed_here_are_those_that_are_printed(heading: str, words: list[str]) -> None:
    (recipe,) = [part for part in RECIPES.split("\n**") if part.startswith(f"{heading}**")]
    assert [word for word in words if word not in " ".join(recipe.split())] == []


def rows_of(page: str) -> set[str]:
    """What stands as code in the first cells of a page's tables."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return {
        name for cell in re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    }


@pytest.mark.parametrize(
    ("page", "known"),
    [
        ("sparse.md", {name for name, loss in names.LOSSES.items() if not loss.labels}),
        ("sparse.md", names.REGULARISERS),
        ("sparse.md", {name for name, kind in names.STUDENTS.items() if kind.sparse}),
        ("sparse.md", index_registry.BACKENDS["sparse"]),
        ("multi_vector.md", index_registry.BACKENDS["multi_vector"]),
        ("leaf.md", names.ALIGNMENTS),
        ("teachers.md", TEACHERS),
        ("teachers.md", APIS),
        ("ensembles.md", CALIBRATIONS),
        ("mining.md", METHODS),
        ("mining.md", SOURCES),
        ("formats.md", FORMATS),
    ],
)
def test_every_name_has_the_row_that_its_recipe_asks_for(page: str, known: Iterable[str]) -> None:
    told = {name.partition(":")[0] for name in rows_of(page)}
    told |= {names.ALIASES[name] for name in told & names.ALIASES.keys()}
    assert sorted(set(known) - told) == []


def test_a_loss_is_one_file_and_one_line(
    copy: Copy, tiny_beir: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    copy.add(
        "rankdistill/losses/reverse_kl.py",
        LOSS,
        "rankdistill/names.py",
        "LOSSES: Mapping[str, Loss] = {",
        LOSS_LINE,
    )
    candidates, store, student = (tmp_path / name for name in ("candidates", "store", "student"))
    settings = tmp_path / "train.yaml"
    settings.write_text("log_steps: 1\neval_steps: 12\nteacher_temperature: 2.0\n")
    train = ["train", "--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--config", settings]
    train += ["--no-check", "--negatives", 2, "--batch-size", 4, "--learning-rate", 3e-3, "--steps", 24]
    outcomes = copy.rankdistill(
        ["mine", "--data", tiny_beir, "--depth", 8, "--out", candidates],
        ["score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--backend", "torch",
         "--candidates", candidates, "--out", store],
        [*train, "--loss", "reverse_kl", "--out", student],
        ["check", store, "--loss", "reverse_kl", "--json", tmp_path / "check.json"],
        ["train", "--help"],
        ["run", "--schema"],
        [*train, "--loss", "forward_kl", "--out", tmp_path / "none"],
        [*train, "--loss", "reverse_kl", "--type", "splade", "--new-head", "--out", tmp_path / "sparse"],
    )  # fmt: skip
    assert [status for status, _ in outcomes[:3]] == [0, 0, 0], outcomes
    log = json.loads((student / "training_log.json").read_text())
    curve = log["loss"]
    losses = [point[1] if isinstance(point, list) else point["loss"] for point in curve]
    assert len(losses) == 24
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])
    parameters = json.loads((student / "manifest.json").read_text())["parameters"]
    assert (parameters["loss"], parameters["teacher_temperature"]) == ("reverse_kl", 2.0)
    assert "margin_unit" not in parameters

    _, of_check, of_help, schema, of_error, of_sparse = (text for _, text in outcomes[2:])
    assert "unit" in of_check
    assert "reverse_kl" in of_help
    assert "reverse_kl" in json.loads(schema)["$defs"]["TrainConfig"]["properties"]["loss"]["enum"]
    assert (outcomes[-2][0], outcomes[-1][0]) == (1, 1)
    assert "'reverse_kl'" in of_error
    assert "query_regulariser_weight" in of_sparse


def test_the_tests_of_losses_run_on_a_new_one_at_once(copy: Copy) -> None:
    copy.add(
        "rankdistill/losses/reverse_kl.py", LOSS, "rankdistill/names.py", "LOSSES: Mapping[str, Loss] = {", LOSS_LINE
    )
    files = ["tests/losses", "tests/training/test_objectives.py", "tests/training/test_scale.py", "tests/test_names.py"]
    words = "reverse_kl or help or schema or every_loss or only_what_is_counted or no_name_means_two"
    passed = re.findall(r"^(\S+)::(\w+)(?:\[(.*)\])? PASSED", copy.tests("-vv", *files, "-k", words), re.MULTILINE)
    of_it = {(file, test) for file, test, case in passed if "reverse_kl" in case}
    assert {file for file, _ in of_it} == {"tests/losses/test_losses.py", "tests/test_names.py", files[1]}
    assert len(of_it) > 15
    assert {test for file, test, _ in passed if file == files[-1]} >= {
        "test_the_help_of_a_verb_lists_every_name",
        "test_the_json_schema_lists_every_name",
    }


def test_a_teacher_is_one_file_and_one_line(copy: Copy, tiny_beir: Path, tmp_path: Path) -> None:
    copy.add(
        "rankdistill/teachers/shared_words.py",
        TEACHER,
        "rankdistill/teachers/registry.py",
        "TEACHERS = {",
        TEACHER_LINE,
    )
    candidates, store = tmp_path / "candidates", tmp_path / "store"
    (tmp_path / "teacher.yaml").write_text("kind: shared_words\nweight: 0.5\n")
    (tmp_path / "wrong.yaml").write_text("kind: shared_words\nweights: 0.5\n")
    words = ["score", "--data", tiny_beir, "--candidates", candidates, "--out"]
    outcomes = copy.rankdistill(
        ["mine", "--data", tiny_beir, "--depth", 8, "--out", candidates],
        [*words, store, "--teacher", tmp_path / "teacher.yaml"],
        [*words, tmp_path / "none", "--teacher", tmp_path / "wrong.yaml"],
        [*words, tmp_path / "none", "--teacher", "some/model", "--kind", "shared_sentences"],
    )
    assert [status for status, _ in outcomes] == [0, 0, 1, 1], outcomes
    assert "settings of a shared_words teacher: weight" in outcomes[2][1]
    assert "shared_words" in outcomes[3][1]

    dataset, scored = load(tiny_beir), ScoreStore(store)
    (teacher_id,) = scored.teacher_ids
    assert teacher_id.startswith("shared-words-")
    assert scored.score_kinds() == {teacher_id: "dot"}
    queries = dataset.queries("train")
    rows = scored.candidates().join(scored.scores(teacher_id), on=["query_id", "doc_id"])
    assert len(rows) == len(pl.read_parquet(candidates / "candidates.parquet"))
    for row in rows.iter_rows(named=True):
        both = set(queries[row["query_id"]].split()) & set(dataset.contents[row["doc_id"]].split())
        assert row["score"] == 0.5 * len(both)
    assert rows["score"].n_unique() > 1


def test_an_index_is_one_file_and_one_line(copy: Copy, tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    copy.add("rankdistill/indexing/double.py", INDEX, "rankdistill/indexing/registry.py", '"dense": {', INDEX_LINE)
    query, index = "what is the old harbour", tmp_path / "index"
    outcomes = copy.rankdistill(
        ["index", "--data", tiny_beir, "--model", tiny_encoder, "--backend", "double", "--backend", "torch",
         "--out", index],
        ["search", "--index", index, "--query", query, "--k", 3, "--backend", "torch"],
        ["index", "--data", tiny_beir, "--model", tiny_encoder, "--backend", "triple", "--out", tmp_path / "none"],
    )  # fmt: skip
    assert [status for status, _ in outcomes] == [0, 0, 1], outcomes
    assert list(index.rglob("double.npy"))
    assert "double" in outcomes[2][1]

    dataset, model = load(tiny_beir), SentenceTransformer(tiny_encoder, device="cpu")
    scores = model.encode(list(dataset.contents.values())) @ model.encode(query)
    best = np.argsort(-scores, kind="stable")[:3]
    lines = [line.split() for line in outcomes[1][1].splitlines() if re.match(r" *\d+  ", line)]
    assert [line[2] for line in lines] == [list(dataset.contents)[place] for place in best]
    assert [float(line[1]) for line in lines] == pytest.approx(scores[best].tolist(), abs=1e-4)

    shown = copy.tests("tests/indexing/test_registry.py", "-k", "double")
    assert "1 passed" in shown

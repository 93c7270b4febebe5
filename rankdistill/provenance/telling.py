"""What an artefact is, in a few words, from its manifest and its results alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rankdistill import integrity, plain_json
from rankdistill.errors import DamagedError, RankdistillError
from rankdistill.evaluation.results import FILE_NAME as RESULTS
from rankdistill.evaluation.tasks.results import ARTEFACT as TASKS
from rankdistill.evaluation.tasks.results import TASK, TaskEvaluations, mean_of
from rankdistill.manifest import RUN
from rankdistill.provenance.found import DAMAGED, UNFINISHED, Artefact
from rankdistill.teachers.teaching.training_log import LOG_FILE

MEASURE = "ndcg_at_10"

MOST_TASKS = 3
"""Whose measures are told."""


PREFLIGHT = "preflight.json"
"""What the checks of a publication found, in its folder."""


def tell(artefact: Artefact) -> str:
    """As `margin_mse, dense, dev nDCG@10 0.512` of a student; "" where there is nothing to tell.

    What a damaged file says is not told: that it is damaged is.
    """
    if artefact.kind in (UNFINISHED, DAMAGED):
        return {UNFINISHED: "the command that writes it goes on", DAMAGED: "its manifest cannot be read"}[artefact.kind]
    if artefact.kind == RUN and artefact.manifest is None:
        of_search = (artefact.path / "tuning").is_dir()
        return "the steps of a search" if of_search else "not finished, or from before runs had manifests"
    teller = TELLERS.get(artefact.kind)
    if teller is None or artefact.manifest is None:
        return ""
    try:
        return ", ".join(filter(None, teller(artefact, artefact.manifest.parameters)))
    except DamagedError:
        return f"damaged: `rankdistill verify {artefact.path}` tells which files"
    except (RankdistillError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return ""  # of another version, or by hand


def _content(artefact: Artefact, name: str) -> Any:
    """What a JSON file of an artefact says; DamagedError where it is not as it was written."""
    return plain_json.read(integrity.require(artefact.path / name))


def _student(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    loss = made.get("loss", "")
    layers = made.get("keep_layers") or made.get("preparation", {}).get("keep_layers")
    told = [loss or "inherited, not trained", made.get("type") or ("" if not loss else "dense")]
    told.append(f"layers {','.join(map(str, layers))}" if layers else "")
    if integrity.is_there(artefact.path / LOG_FILE):
        content = _content(artefact, LOG_FILE)
        told.append(f"{content['steps']:,} steps" if isinstance(content.get("steps"), int) else "")
        points = content.get("dev_ndcg_at_10") or []
        value = max((point["value"] for point in points if "value" in point), default=None)
        told.append("" if value is None else f"dev nDCG@10 {value:.3f}")
    return told


def _teacher(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    return ["taught cross-encoder", str(made.get("split", ""))]


def _scores(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    teachers = made.get("teachers", {})
    return [f"{len(teachers)} teacher{'' if len(teachers) == 1 else 's'}: {', '.join(sorted(teachers))}"]


def _embeddings(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    texts = sum(count for count in made.get("texts", {}).values() if isinstance(count, int))
    return [f"{texts:,} texts", str(made["teacher"].get("dtype", ""))]


def _candidates(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    sources = made.get("sources") or {made.get("source"): None}
    return [
        "+".join(map(str, sources)),
        str(made.get("split", "")),
        f"depth {made['depth']}" if "depth" in made else "",
    ]


def _index(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    return [str(made.get("kind", "")), str(made.get("factory", ""))]


def _bundle(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    return ["aligned" if made.get("aligned") else "not known to be aligned", "ONNX" if made.get("onnx") else ""]


def _evaluation(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    system = _content(artefact, RESULTS)["system"]
    return [system["name"], made["split"], f"nDCG@10 {system['measures'][MEASURE]:.4f}"]


def _task_evaluations(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    found = TaskEvaluations.read(artefact.path)
    scores = [
        f"{task} {mean_of(blocks)['main_score']:.4f}"
        for task, content in found.results.items()
        for blocks in [next(iter(content["scores"].values()))]
    ]
    more = len(scores) - MOST_TASKS
    count = f"{len(scores)} task{'' if len(scores) == 1 else 's'} of mteb"
    return [found.name, count, *scores[:MOST_TASKS], f"and {more} more" if more > 0 else ""]


def _task_evaluation(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    return [str(made["task"]), *sorted(made.get("queries_without_relevant", {}))]


def _publication(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    findings = _content(artefact, PREFLIGHT)["findings"]
    refusing = [one["check"] for one in findings if one["status"] == "refuse"]
    return [str(made["name"]), f"refused by {' and '.join(refusing)}" if refusing else "ready"]


def _run(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    recipe = made["recipe"]
    results = _content(artefact, RESULTS)
    best = max(results["systems"], key=lambda one: one["measures"][MEASURE])
    shown = f"{results['split']}: {best['name']} nDCG@10 {best['measures'][MEASURE]:.4f} is the best"
    return [f"recipe {recipe['name']} of kind {recipe.get('kind', 'scores')}", shown]


def _tuning(artefact: Artefact, made: Mapping[str, Any]) -> list[str]:
    found = _content(artefact, "tuning.json")
    best = "" if found["best"] is None else f"best {found['metric']} {found['best']['value']:.4f} on dev"
    return [f"search of {made['recipe']['name']}", f"{len(found['trials'])} trials", best]


TELLERS: Mapping[str, Callable[[Artefact, Mapping[str, Any]], list[str]]] = {
    "bundle": _bundle,
    "candidates": _candidates,
    "embeddings": _embeddings,
    "evaluation": _evaluation,
    "index": _index,
    "publication": _publication,
    RUN: _run,
    "scores": _scores,
    "student": _student,
    TASKS: _task_evaluations,
    TASK: _task_evaluation,
    "teacher": _teacher,
    "tuning": _tuning,
}
"""Kind of artefact -> what is told of it."""

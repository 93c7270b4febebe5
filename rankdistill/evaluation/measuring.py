"""The measurements of an asymmetric pair of towers on one split, written to a folder and not made twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from rankdistill import integrity, manifest
from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation import ann, ann_report, ann_result, robustness, robustness_report, robustness_result
from rankdistill.evaluation.ann import Effort
from rankdistill.evaluation.ann_result import AnnRecall
from rankdistill.evaluation.robustness import GridSettings
from rankdistill.evaluation.robustness_result import Robustness
from rankdistill.evaluation.towers import Towers
from rankdistill.making import making
from rankdistill.progress import Progress

LIBRARIES = ("ir-measures", "numpy", "sentence-transformers", "faiss-cpu", "faiss-gpu", "torch", "transformers")

ROBUSTNESS, ANN_RECALL = "robustness", "ann-recall"

Result = TypeVar("Result")


def measure_robustness(
    towers: Towers,
    dataset: Dataset,
    split: str,
    settings: GridSettings,
    out: Path,
    *,
    command: str = "",
    progress: Progress = lambda done: None,
) -> Robustness:
    """Write the grid of `rankdistill.evaluation.robustness` for teacher, student and the two together into `out`.

    Args:
        towers: the models.
        dataset: queries, documents and qrels.
        split: of the qrels.
        settings: what is measured.
        out: folder; if it already holds this very grid, that is returned.
        command: the command line, for the signature.
        progress: called with the number of texts encoded or searches done since the last call.

    Raises:
        ConfigError: settings that these vectors do not allow.
        DataError: no such split.
        StaleOutputError: `out` holds another grid.
    """
    robustness.check(settings, towers.dimension)
    wanted = _manifest(ROBUSTNESS, towers, dataset, split, asdict(settings), command)
    with making(out, wanted, again=False) as made:
        if made.current:
            return read_result(Robustness, out / robustness_result.FILE_NAME).lying_in(out)
        pairings = towers.triangle(dataset, split, progress)
        result = Robustness(
            data=dataset.name,
            split=split,
            queries=len(pairings[0].queries.ids),
            documents=len(pairings[0].documents.ids),
            systems=robustness.grid(
                pairings, towers.similarity, dataset.qrels(split), settings, progress, dataset.own_documents
            ),
            signature=_signature(wanted, towers),
        )
        result.write(out)
        robustness_report.write_report(result, out)
        made.wrote()
    return result.lying_in(out)


def measure_ann_recall(
    towers: Towers,
    dataset: Dataset,
    split: str,
    factory: str,
    effort: Effort,
    out: Path,
    *,
    repeats: int = 3,
    command: str = "",
    progress: Progress = lambda done: None,
) -> AnnRecall:
    """Write the curves of `rankdistill.evaluation.ann` for the teacher's queries and the student's into `out`.

    Args:
        towers: the models.
        dataset: queries, documents and qrels.
        split: of the qrels.
        factory: FAISS factory string.
        effort: the search parameter and its values.
        out: folder; if it already holds these very curves, they are returned.
        repeats: searches timed for each value; 0 times none. Times differ from run to run.
        command: the command line, for the signature.
        progress: called with the number of texts encoded or searches done since the last call.

    Raises:
        ConfigError: FAISS does not take the factory string or the parameter.
        DataError: no such split.
        StaleOutputError: `out` holds other curves.
        MissingDependencyError: FAISS is not installed.
    """
    ann.open_index(towers.dimension, towers.similarity, factory, effort)
    parameters = {"factory": factory, "effort": asdict(effort), "repeats": repeats}
    wanted = _manifest(ANN_RECALL, towers, dataset, split, parameters, command)
    with making(out, wanted, again=False) as made:
        if made.current:
            return read_result(AnnRecall, out / ann_result.FILE_NAME).lying_in(out)
        pairings = towers.searchers(dataset, split, progress)
        curves = ann.recall_curves(
            pairings,
            towers.similarity,
            dataset.qrels(split),
            factory,
            effort,
            repeats,
            progress,
            dataset.own_documents,
        )
        result = AnnRecall(
            data=dataset.name,
            split=split,
            queries=len(pairings[0].queries.ids),
            documents=len(pairings[0].documents.ids),
            factory=factory,
            parameter=effort.name,
            curves=curves,
            signature=_signature(wanted, towers),
        )
        result.write(out)
        ann_report.write_report(result, out)
        made.wrote()
    return result.lying_in(out)


def _manifest(
    artefact: str, towers: Towers, dataset: Dataset, split: str, parameters: Mapping[str, Any], command: str
) -> manifest.Manifest:
    return manifest.Manifest(
        artefact=artefact,
        inputs={
            "data": dataset.fingerprint,
            "qrels": dataset.qrels_hash(split),
            "towers": manifest.digest(dict(towers.fingerprints)),
        },
        parameters={"split": split, **parameters, **dataset.decisive(split)},
        versions=manifest.versions_of(*LIBRARIES),
        command=command,
    )


def _signature(made: manifest.Manifest, towers: Towers) -> dict[str, Any]:
    return {
        "inputs": dict(made.inputs),
        "parameters": dict(made.parameters),
        "towers": dict(towers.fingerprints),
        "versions": dict(made.versions),
        "command": made.command,
    }


def read_robustness(folder: Path) -> Robustness:
    """The grid that lies in `folder`; DataError where there is none."""
    manifest.expect(folder, ROBUSTNESS, "robustness")
    return read_result(Robustness, folder / robustness_result.FILE_NAME).lying_in(folder)


def read_ann_recall(folder: Path) -> AnnRecall:
    """The curves that lie in `folder`; DataError where there are none."""
    manifest.expect(folder, ANN_RECALL, "ann-recall")
    return read_result(AnnRecall, folder / ann_result.FILE_NAME).lying_in(folder)


def read_result(kind: type[Result], path: Path) -> Result:
    """The result in a JSON file beside a manifest; DataError where it is damaged."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(integrity.read_bytes(path))
    except (OSError, ValidationError) as error:
        raise DataError(
            expected="the result that the manifest beside it speaks of",
            got=f"{path}: {str(error).splitlines()[0]}",
            consequence="nothing was measured",
            remedy="remove the folder and run the command again",
        ) from error

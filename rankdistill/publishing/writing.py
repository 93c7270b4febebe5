"""Writing a publication: card, code, results and their hub form, as they would be sent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rankdistill import files, plain_json
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.tasks.results import META, RESULTS, SETTINGS
from rankdistill.evaluation.verdict.records import Finding
from rankdistill.publishing import card, eval_results, mteb_model, result
from rankdistill.publishing.checks import data
from rankdistill.publishing.checks.files import require_layout
from rankdistill.publishing.evidence import Evidence

CARD, CODE, LINEAGE, MODEL = "README.md", "model_meta.py", "lineage.json", "model"
FILING = ".filing"
"""There from the upload of the model until its figures are sent: which commit the results are filed under."""

_PIECES = {CARD, CODE, LINEAGE, MODEL, RESULTS, eval_results.FOLDER, result.FILE_NAME, FILING}


def write(
    out: Path, evidence: Evidence, model: Path, findings: Mapping[str, Finding], reports: Sequence[Results]
) -> None:
    """Write all of a publication into `out`; results on other data than mteb's are left out.

    Raises:
        OutputError: `out` holds other files.
        DataError: what was written is not what mteb reads.
    """
    files.clear(out, _PIECES, "a publication")
    kept = data.kept(evidence)
    name, revision = evidence.meta.name, evidence.meta.revision
    folder = out / RESULTS / name.replace("/", "__") / revision
    files.make_folder(folder)
    for one in kept:
        shutil.copyfile(one.path, folder / one.path.name)
    rows = [line for one in kept for line in _settings_of(one.name, one.path.parent / SETTINGS)]
    if rows:
        files.write_text(folder / SETTINGS, "".join(f"{line}\n" for line in rows))
    files.write_text(folder / META, mteb_model.json_of(evidence.meta))
    files.write_text(out / CODE, mteb_model.code_of(evidence.meta, model))
    files.write_text(out / CARD, card.render(evidence, model, findings, reports))
    files.write_text(out / LINEAGE, json.dumps(evidence.lineage.to_json(), indent=1, ensure_ascii=False) + "\n")
    for path, content in mteb_model.overlays(evidence.student, model).items():
        files.make_folder((out / MODEL / path).parent)
        files.write_text(out / MODEL / path, content)
    require_layout(out / RESULTS, name, revision)
    if kept and rows:
        eval_results.write(evidence.meta, out)
    found = result.Published(out, name, revision, list(findings.values())).to_json()
    found.pop("publication"), found.pop("sent")
    files.write_text(out / result.FILE_NAME, json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def _settings_of(task: str, path: Path) -> list[str]:
    """The rows of one task."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if line.strip() and plain_json.loads(line).get("task") == task:
                found.append(line)
        except (ValueError, AttributeError):
            continue  # the check of files has told of it
    return found

"""Whether name and revision say which model it is, and the results are of that one."""

from __future__ import annotations

from rankdistill.evaluation.tasks.model_meta import REVISION, is_working_name
from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence


def check(evidence: Evidence) -> Finding:
    """Refuse a working name, a revision that is no hash, and results of another one than the student has now."""
    wrong = []
    if is_working_name(evidence.name):
        wrong.append(f"{evidence.name} is a working name: give its own, --name ORGANISATION/MODEL")
    if evidence.commit is not None and not REVISION.fullmatch(evidence.commit):
        wrong.append(f"{evidence.commit!r} is no commit of 40 hex digits")
    for path, meta in evidence.metas.items():
        folder, said = path.parent.name, meta.get("revision")
        if said != folder:
            wrong.append(f"model_meta.json says revision {said}, its folder {folder}")
        if folder != evidence.revision:
            wrong.append(
                f"the results are of revision {folder[:12]}, the student is {evidence.revision[:12]}: another model "
                "was evaluated, or the same with other settings; evaluate this one"
            )
        title = str(meta.get("name", "")).replace("/", "__").replace(" ", "_")
        if title != path.parent.parent.name:
            wrong.append(f"model_meta.json says {meta.get('name')}, its folder {path.parent.parent.name}")
    figures: dict[str, float | int | str | None] = {"name": evidence.name, "revision": evidence.revision}
    if wrong:
        return Finding(
            check="identity",
            status=Status.REFUSE,
            reason="whose results are not of this name and revision",
            sentence="; ".join(wrong),
            figures=figures,
        )
    return Finding(
        check="identity",
        status=Status.PASS,
        sentence=f"{evidence.name}, revision {evidence.revision}, the hash of its content, which the results have too",
        figures=figures,
    )

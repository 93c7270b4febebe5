"""The model card: lineage, recipe, figures with what is shown by them, and limits."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill.data.sources import SOURCES
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.inference.loading import kind_of
from rankdistill.publishing.checks.data import kept
from rankdistill.publishing.disclosure import names_of
from rankdistill.publishing.evidence import Evidence
from rankdistill.publishing.lineage import Parent

TEMPLATES = Path(__file__).parent / "templates"
SETTINGS = (
    "type",
    "loss",
    "steps",
    "epochs",
    "batch_size",
    "learning_rate",
    "keep_layers",
    "split",
    "dev_split",
    "seed",
)
"""Of a student's manifest, in the card."""

LOADERS = {"sparse": "SparseEncoder", "multi_vector": "MultiVectorEncoder"}


def render(evidence: Evidence, model: Path, findings: Mapping[str, Finding], reports: Sequence[Results]) -> str:
    """The card's text with its header for the hub; no path of this machine, no time.

    Args:
        evidence: of the student.
        model: the folder that is published.
        findings: check -> what it found.
        reports: comparisons and verdicts that hold the student against others.
    """
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    kind = kind_of(model)
    made = evidence.lineage.made
    text = environment.get_template("card.md.j2").render(
        name=evidence.name,
        summary=_summary(evidence),
        loader=LOADERS.get(kind, "SentenceTransformer"),
        parents=[_parent_row(one, evidence) for one in evidence.lineage.parents.values()],
        sources=[
            {"name": _cell(one.called), "roles": ", ".join(one.roles)} for one in evidence.lineage.sources.values()
        ],
        datasets=", ".join(sorted(evidence.meta.training_datasets or ())) or "none that mteb has",
        recipe=[
            (name, _cell(made.parameters[name]))
            for name in SETTINGS
            if made is not None and made.parameters.get(name) is not None
        ],
        command=without_places(made.command, _references(evidence)) if made is not None else "",
        figures=_figures(evidence),
        comparisons=[_comparison(one) for one in reports],
        recomputed=findings["scores"].status == Status.PASS,
        mteb=", ".join(sorted({str(one.content.get("mteb_version")) for one in evidence.tasks})),
        leakage=_sentence(findings["leakage"].sentence),
        costs=_sentence(findings["costs"].sentence),
        limits=[*_limits(evidence, findings), *evidence.details.limits],
    )
    data = ModelCardData(
        language=sorted({code.partition("-")[0] for code in evidence.details.languages}),
        license=evidence.details.license,
        library_name="sentence-transformers",
        tags=["sentence-transformers", "feature-extraction", "sentence-similarity", "mteb", "rankdistill"],
        base_model=[one for one in _hub_names(evidence) if "/" in one] or None,
        pipeline_tag="feature-extraction" if kind == "sparse" else "sentence-similarity",
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{re.sub(chr(10) + '{3,}', chr(10) * 2, text)}"))


_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)([^/?#]*@)?([^?#]*)", re.IGNORECASE)

_HUB = re.compile(r"[\w.-]+/[\w.-]+")
"""A name of the hub, which a path may look like as well."""

_FETCHED = ("pypi:", *(f"{name}:" for name in SOURCES))
"""What a reference begins with that is no path: `pypi:NAME`, `mteb:TASK/SUBSET`."""


def without_places(command: str, references: Collection[str] = ()) -> str:
    """The command line with each path by its last part, and addresses without user, password and query.

    Args:
        command: as a shell takes it.
        references: names `org/name` that are of the hub, and stay.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # no shell wrote it
        words = command.split()
    return shlex.join(_without_place(word, references) for word in words)


def _without_place(word: str, references: Collection[str]) -> str:
    if word in references:
        return word
    if named := re.match(r"-{0,2}[\w.-]+=", word):
        return named[0] + _without_place(word[named.end() :], references)
    if word.startswith(("{", "[")):  # settings as JSON
        return re.sub(r"[^\"'\[\]{},]+", lambda found: _without_place(found[0], references), word)
    if re.search(r",(?! )", word) and ("://" not in word or re.search(r",[\w.-]+=", word)):
        return ",".join(_without_place(one, references) for one in re.split(r",(?! )", word))
    if word.lower().startswith("file:"):
        return Path(word[len("file:") :]).name
    if address := _ADDRESS.match(word):
        return f"{address[1]}{address[3]}"
    if "/" not in word or word.startswith(_FETCHED):
        return word
    if kind := re.match(r"[\w-]+:", word):  # as a source of candidates is named
        return kind[0] + _without_place(word[kind.end() :], references)
    return Path(word).name


def _references(evidence: Evidence) -> set[str]:
    """What is published, and the models of others that it comes from, as the hub calls them."""
    names = {evidence.name, *(name for one in evidence.lineage.leaves for name in names_of(one))}
    return {name for name in names if _HUB.fullmatch(name) and not Path(name).is_dir()}


def _summary(evidence: Evidence) -> str:
    parts = [one for one in evidence.lineage.parents.values() if "teacher" in one.roles]
    teachers = " and ".join(one.title for one in parts)
    kind = ", ".join(evidence.meta.model_type)
    taught = f", distilled from {teachers}" if teachers else ""
    return f"A {kind} retriever{taught}. Revision `{evidence.meta.revision}`."


def _parent_row(parent: Parent, evidence: Evidence) -> dict[str, str]:
    named = parent.title
    phrase = f"training data of {named},"
    data = [name for name, why in evidence.disclosure.datasets.items() if any(one.startswith(phrase) for one in why)]
    if not parent.is_leaf:
        told = "made from the models and collections below and above"
    else:
        told = ", ".join(data) or "none that mteb has"
    weights = f" (weights {parent.weights[:12]})" if parent.weights and parent.weights[:12] not in named else ""
    return {"name": _cell(named + weights), "roles": ", ".join(parent.roles), "data": told}


def _hub_names(evidence: Evidence) -> list[str]:
    adapted = evidence.meta.adapted_from
    return [adapted] if adapted else []


def _figures(evidence: Evidence) -> list[list[str]]:
    rows = []
    for one in kept(evidence):
        for test, evaluation in one.evaluations.items():
            system = evaluation.system
            cells = []
            for name in MEASURES:
                low, high = system.intervals.get(name, (float("nan"), float("nan")))
                bounds = f" ({low:.3f} to {high:.3f})" if name == "ndcg_at_10" else ""
                cells.append(f"{system.measures[name]:.4f}{bounds}")
            rows.append([one.name, test.title, f"{evaluation.queries:,}", *cells])
    return rows


def _comparison(report: Results) -> dict[str, Any]:
    rows = []
    for one in report.comparisons:
        if one.measure != "ndcg_at_10":
            continue
        mean = next(system.measures["ndcg_at_10"] for system in report.systems if system.name == one.system)
        low, high = one.interval
        shown = "< .001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}"
        verdict = "" if one.significant() else ", no difference is shown"
        cells = [f"{mean:.4f}", f"{one.difference:+.4f}", f"{low:+.4f} to {high:+.4f}", f"{shown}{verdict}"]
        rows.append([_cell(one.system), *cells])
    return {
        "title": f"{report.data}, {report.split}, {report.queries:,} queries",
        "baseline": _cell(report.baseline),
        "rows": rows,
    }


def _limits(evidence: Evidence, findings: Mapping[str, Finding]) -> list[str]:
    length = evidence.meta.max_tokens
    lines = [f"Of a text it reads the first {int(length):,} tokens."] if length else []
    lines.append(
        f"It was evaluated on {', '.join(one.name for one in kept(evidence))} alone; other texts may be harder."
    )
    if any(evidence.prompts.values()):
        told = ", ".join(f"{role}s {text!r}" for role, text in evidence.prompts.items() if text)
        lines.append(f"It expects a prompt before {told}, which `encode_query` and `encode_document` put there.")
    if "router" in evidence.meta.model_type:
        lines.append("`encode` takes a text for a document; a query needs `encode_query`.")
    lines += [_sentence(one.sentence) for one in findings.values() if one.status == "warn"]
    return lines


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")

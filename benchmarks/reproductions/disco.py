"""Train DiSCo as published and hold its figures against the published ones. Needs a hub, its collection, and a GPU.

    python -m benchmarks.reproductions.disco disco_topiocqa [--work runs/disco]

The settings are disco_topiocqa.yaml and disco_qrecc.yaml beside this file: `train` is what `rankdistill.train` takes
beside sessions, `expected` the published figures, `better` what must be above what.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import rankdistill
from benchmarks.provenance import parse, write_results
from rankdistill.verbs.settings import TrainConfig

HERE = Path(__file__).resolve().parent
OF_SESSIONS = ("reads", "ranks", "sample", "missing_rewrites")
"""Arguments of `train` among what `train` of a file says; the rest are settings of `TrainConfig`."""


def load(name: str) -> dict[str, Any]:
    """The whole file, whose settings are checked."""
    content: dict[str, Any] = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    settings(content)
    return content


def settings(content: Mapping[str, Any]) -> TrainConfig:
    """The settings of the training, as `TrainConfig` has them."""
    return TrainConfig(**{key: value for key, value in content["train"].items() if key not in OF_SESSIONS})


def measure(content: Mapping[str, Any], work: Path) -> dict[str, dict[str, float]]:
    """System (`history`, `teacher`, `student`) -> its measures on the test split; made where it is not there yet."""
    sessions, split, name = content["sessions"], content["split"], content["rewrites"][0]
    index = rankdistill.index(sessions, content["model"], work / "index", **content["index"])
    student = rankdistill.train(
        None,
        None,
        content["model"],
        work / "student",
        sessions=sessions,
        teacher=content["model"],
        rewrites=content["rewrites"],
        split=split["train"],
        index=index,
        work=work / "work",
        progress=True,
        **content["train"],
    )
    systems: dict[str, tuple[Any, str | None]] = {
        "history": (None, content["train"]["reads"]),
        "teacher": (None, f"rewrite:{name}"),
        "student": (student, None),
    }
    found = {}
    for title, (system, reads) in systems.items():
        out = work / "evaluations" / title
        made = rankdistill.evaluate(
            None, system, out, sessions=sessions, split=split["test"], index=index, reads=reads, name=title
        )
        found[title] = dict(made.system.measures)
    return found


def held_against(content: Mapping[str, Any], found: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Each published figure, and each order that must hold, with what was measured and whether it agrees."""
    rows = []
    for one in content["expected"]:
        value = found[one["system"]][one["measure"]]
        rows.append({**one, "found": value, "passed": abs(value - one["value"]) <= one["tolerance"]})
    for one in content.get("better", []):
        value, other = found[one["system"]][one["measure"]], found[one["than"]][one["measure"]]
        what = f"{one['system']} above {one['than']}, {one['measure']}"
        rows.append({"what": what, "found": value, "value": other, "passed": value > other})
    return rows


def main(words: Sequence[str] | None = None) -> None:
    """Train, evaluate, compare, write the results; exits with 1 if a figure is outside its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["disco_topiocqa", "disco_qrecc"])
    parser.add_argument("--work", type=Path, default=Path("runs/disco"))
    given = parse(parser, words)
    content = load(given.name)
    results = held_against(content, measure(content, given.work / given.name))
    write_results(given.name, {"results": results, "settings": dict(content["train"])}, content["sessions"])
    for result in results:
        verdict = "ok" if result["passed"] else "OUTSIDE"
        print(f"{verdict:8} {result['what']}: {result['found']:.4f}, against {result['value']:.4f}")
    if not all(result["passed"] for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()

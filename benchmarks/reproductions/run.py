"""Run the commands of published.yaml, check each value against its tolerance, and write the results.

python -m benchmarks.reproductions.run --data DIR [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.provenance import parse, write_results

HERE = Path(__file__).resolve().parent
CASES_FILE = HERE / "published.yaml"


def reproduce(case: Mapping[str, Any], data: Path, out: Path) -> dict[str, Any]:
    """Run one case; gives the value found, and whether it is within the tolerance of the expected one."""
    words = [word.format(data=data, out=out) for word in shlex.split(case["command"])]
    subprocess.run([str(Path(sys.executable).parent / words[0]), *words[1:]], check=True)
    found = json.loads((out / case["results"]).read_text(encoding="utf-8"))[case["measure"]]
    return {
        "name": case["name"],
        "command": case["command"],
        "measure": case["measure"],
        "expected": case["expected"],
        "tolerance": case["tolerance"],
        "found": found,
        "passed": abs(found - case["expected"]) <= case["tolerance"],
    }


def main() -> None:
    """Run every case; exits with 1 if one is outside its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("RANKDISTILL_DATA"), help="has scifact/, nfcorpus/")
    parser.add_argument("--out", type=Path, default=Path("runs/reproductions"))
    arguments = parse(parser)
    if arguments.data is None:
        parser.error("give --data, or set RANKDISTILL_DATA")
    cases = yaml.safe_load(CASES_FILE.read_text(encoding="utf-8"))
    results = [reproduce(case, arguments.data, arguments.out) for case in cases]
    write_results("reproductions", {"results": results}, "scifact, nfcorpus")
    for result in results:
        verdict = "ok" if result["passed"] else "OUTSIDE"
        expected = f"{result['expected']:.5f} +- {result['tolerance']}"
        print(f"{verdict:8} {result['name']}: {result['measure']} {result['found']:.5f}, published {expected}")
    if not all(result["passed"] for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""How long the command and the package take to start, beside the bare libraries that each stands on.

    python -m benchmarks.speed.start [--repeats 9]

Each is a process of its own, started in turn, so that a busy moment meets all of them; figures are medians of seconds.
`--help` is compared with a Typer command of one verb, importing the package with importing nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from statistics import median

from benchmarks.provenance import parse, write_results

BARE_COMMAND = """
import typer
app = typer.Typer()
@app.command()
def verb(number: int = 1) -> None: ...
app(["--help"])
"""

COMMAND = "import sys; sys.argv[0] = 'rankdistill'; from rankdistill.cli.main import main; main()"

STARTED = {
    "rankdistill --help": ["-c", COMMAND, "--help"],
    "rankdistill train --help": ["-c", COMMAND, "train", "--help"],
    "a Typer command of one verb, --help": ["-c", BARE_COMMAND],
    "import rankdistill": ["-c", "import rankdistill"],
    "import sentence_transformers": ["-c", "import sentence_transformers"],
    "python": ["-c", "pass"],
}
"""What is started -> the interpreter's words."""

BESIDE = {
    "rankdistill --help": "a Typer command of one verb, --help",
    "rankdistill train --help": "a Typer command of one verb, --help",
    "import rankdistill": "python",
    "import sentence_transformers": "python",
}
"""What is started -> what it is compared with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="processes of each")
    given = parse(parser)
    seconds = measure(given.repeats)
    ratios = {name: seconds[name] / seconds[other] for name, other in BESIDE.items()}
    for name, taken in seconds.items():
        ratio = f"  x{ratios[name]:.2f} {BESIDE[name]}" if name in ratios else ""
        print(f"{taken:7.3f} s  {name}{ratio}")
    write_results("speed_start", {"repeats": given.repeats, "seconds": seconds, "ratios": ratios})


def measure(repeats: int) -> dict[str, float]:
    """Median seconds from start to end of each; a first process of each, which may write byte code, does not count."""
    taken: dict[str, list[float]] = {name: [] for name in STARTED}
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    for repeat in range(repeats + 1):
        for name, words in STARTED.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
            if repeat:
                taken[name].append(time.perf_counter() - started)
    return {name: round(median(found), 4) for name, found in taken.items()}


if __name__ == "__main__":
    main()

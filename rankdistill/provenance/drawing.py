"""A lineage as a picture: sources on the left, what was made on the right; or as a Mermaid diagram."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from rankdistill import files
from rankdistill.errors import ConfigError
from rankdistill.provenance.lineage import Node

MERMAID = ".mmd"
SUFFIXES = (".svg", ".png", ".pdf", MERMAID)

_COLOURS = {
    "dataset": "#dbe9f6",
    "candidates": "#e8eef4",
    "scores": "#e3f1de",
    "embeddings": "#e3f1de",
    "student": "#fdecc8",
    "teacher": "#f7dcd7",
    "index": "#ece3f3",
    "bundle": "#fdecc8",
    "evaluation": "#f2f2f2",
    "task evaluations": "#f2f2f2",
}
_PLAIN = "#ffffff"
_WIDTH, _HEIGHT, _CHARACTERS = 2.6, 0.75, 30


@dataclass
class Diagram:
    """The boxes and arrows of a lineage, each artefact once.

    Args:
        kinds: box -> kind of artefact; `model` or `unknown` of what is none.
        titles: box -> what stands in it.
        arrows: (source, product) -> what the product calls it.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    arrows: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Node) -> Diagram:
        """That of what is below `root`."""
        found = cls()
        found._add(root)
        return found

    def _add(self, node: Node) -> str:
        name = str(node.artefact.path) if node.artefact is not None else node.reference
        self.kinds.setdefault(name, node.artefact.kind if node.artefact else "model" if node.is_known else "unknown")
        short = _short(node.artefact.path) if node.artefact is not None else node.reference
        self.titles.setdefault(name, short if node.is_known else f"{node.reference[:12]}, not found")
        for source in node.sources:
            self.arrows.setdefault((self._add(source), name), source.name)
        return name

    def columns(self) -> list[list[str]]:
        """The boxes from left to right: each stands behind all of its sources."""
        depth: dict[str, int] = {}
        sources = defaultdict(list)
        for source, product in self.arrows:
            sources[product].append(source)

        def depth_of(name: str) -> int:
            if name not in depth:
                depth[name] = 1 + max((depth_of(one) for one in sources[name]), default=-1)
            return depth[name]

        for name in self.titles:
            depth_of(name)
        return [[name for name in self.titles if depth[name] == place] for place in range(max(depth.values()) + 1)]


def _short(folder: Path) -> str:
    """The end of a path that tells artefacts apart: a step by its name, others with the folder that they lie in."""
    return folder.name if folder.parent.name == "steps" else Path(*folder.parts[-2:]).as_posix()


def require_drawable(path: Path) -> None:
    """Raise ConfigError unless the name of the file ends as one of `SUFFIXES`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            expected=f"a file that ends in {', '.join(SUFFIXES)}",
            got=str(path),
            consequence="nothing was drawn",
            remedy="such as lineage.svg",
        )


def draw(root: Node, path: Path) -> None:
    """Draw the lineage into `path`; see `require_drawable`."""
    require_drawable(path)
    diagram = Diagram.of(root)
    if path.suffix.lower() == MERMAID:
        files.write_text(path, mermaid(diagram))
        return
    _draw(diagram, path)


def mermaid(diagram: Diagram) -> str:
    """The diagram as Mermaid's text, which many viewers of Markdown draw."""
    numbers = {name: f"n{number}" for number, name in enumerate(diagram.titles)}
    lines = ["flowchart LR"]
    for name, title in diagram.titles.items():
        lines.append(f'  {numbers[name]}["{_escaped(title)}<br/><i>{_escaped(diagram.kinds[name])}</i>"]')
    for (source, product), name in diagram.arrows.items():
        lines.append(f'  {numbers[source]} -->|"{_escaped(name)}"| {numbers[product]}')
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _draw(diagram: Diagram, path: Path) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    from rankdistill.evaluation.plots import literal

    columns = diagram.columns()
    rows = max(len(column) for column in columns)
    places = {
        name: (1.6 * x * _WIDTH, -1.5 * _HEIGHT * (y + (rows - len(column)) / 2))
        for x, column in enumerate(columns)
        for y, name in enumerate(column)
    }
    width, height = 1.6 * _WIDTH * len(columns), 1.5 * _HEIGHT * rows
    figure = Figure(figsize=(max(width, 4), max(height, 1.5)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.7 * _WIDTH, width - 0.7 * _WIDTH)
    axes.set_ylim(-height + 0.3 * _HEIGHT, 1.2 * _HEIGHT)
    boxes = {}
    for name, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.4", "facecolor": _COLOURS.get(diagram.kinds[name], _PLAIN), "lw": 0.6}
        title = "\n".join(textwrap.wrap(diagram.titles[name], _CHARACTERS, break_on_hyphens=True)[-2:])
        text = f"{title}\n({diagram.kinds[name]})"
        boxes[name] = axes.text(x, y, literal(text), fontsize=7, ha="center", va="center", bbox=box, zorder=3)
    for (source, product), name in diagram.arrows.items():
        start, end = places[source], places[product]
        style = {"arrowstyle": "-|>", "color": "#888888", "lw": 0.8}
        ends = {"patchA": boxes[source].get_bbox_patch(), "patchB": boxes[product].get_bbox_patch()}
        axes.annotate("", xy=end, xytext=start, arrowprops=style | ends, zorder=1)
        middle = [here + (there - here) * 0.35 for here, there in zip(end, start, strict=True)]
        plain = {"boxstyle": "square,pad=0.1", "facecolor": "white", "lw": 0}
        words = literal(textwrap.shorten(name, 20, placeholder="..."))
        axes.text(
            middle[0], middle[1], words, fontsize=6, color="#666666", ha="center", va="center", bbox=plain, zorder=2
        )
    figure.draw_without_rendering()  # arrows end where the boxes are then
    with matplotlib.rc_context({"svg.hashsalt": "rankdistill", "svg.fonttype": "none"}), files.atomic_path(path) as out:
        kind = path.suffix.lower().removeprefix(".")
        figure.savefig(out, format=kind, dpi=150, metadata=_undated(kind))


def _undated(kind: str) -> dict[str, None]:
    """What keeps the time out of a file."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})

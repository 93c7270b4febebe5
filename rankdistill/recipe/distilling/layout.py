"""What lies where in the folder that `distill` fills."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rankdistill import locations
from rankdistill.errors import ConfigError, OutputError
from rankdistill.files import LOCK_NAME, TEMPORARY_PREFIX
from rankdistill.locations import is_local

ASKED = "distill.json"


@dataclass(frozen=True)
class Layout:
    """The folder `root`."""

    root: Path

    @property
    def data(self) -> Path:
        """The collection, where it had to be made."""
        return self.root / "data"

    @property
    def recipe(self) -> Path:
        """What was chosen."""
        return self.root / "recipe.yaml"

    @property
    def asked(self) -> Path:
        """What `distill` was asked for; it says that the folder is ours."""
        return self.root / ASKED

    @property
    def run(self) -> Path:
        """The steps of the recipe."""
        return self.root / "run"

    @property
    def bundle(self) -> Path:
        """The student as it is shipped."""
        return self.root / "bundle"

    @property
    def index(self) -> Path:
        """All documents, as the bundle searches them."""
        return self.root / "index"

    @property
    def report(self) -> Path:
        """The report with the verdict."""
        return self.root / "report.html"

    @property
    def results(self) -> Path:
        """What the report says, for programs."""
        return self.root / "results.json"

    def require_ours(self) -> None:
        """Raise OutputError where something else lies than what `distill` makes, or could not be made."""
        if not is_local(self.root):
            raise _unfit("a folder on this machine", f"{self.root}, which is in an object store")
        if self.root.exists() and not self.root.is_dir():
            raise _unfit("a folder", f"{self.root}, which is a file")
        if self.asked.is_file() or not self.root.is_dir():
            return
        known = {self.data.name, LOCK_NAME}
        foreign = sorted(
            path.name
            for path in locations.listing(self.root)
            if path.name not in known and not path.name.startswith(TEMPORARY_PREFIX)
        )
        if foreign:
            raise _unfit(
                f"{self.root} to be empty, or a folder that `rankdistill distill` began",
                f"{len(foreign)} other files, as {foreign[0]!r}",
            )

    def require_apart(self, documents: Path) -> None:
        """Raise ConfigError where the output lies in the folder of the documents, which would read it next time."""
        folder, out = documents.resolve(), self.root.resolve()
        if documents.is_dir() and (out == folder or folder in out.parents):
            raise ConfigError(
                expected=f"an output outside {documents}, whose files are the documents",
                got=f"{self.root}, which lies in it",
                consequence="nothing was written: the next call would take what this one makes for documents",
                remedy="name a folder beside it: --out FOLDER",
            )


def is_distilled(folder: Path) -> bool:
    """Whether `distill` chose a recipe for this folder."""
    layout = Layout(folder)
    return layout.asked.is_file() and layout.recipe.is_file()


def _unfit(expected: str, got: str) -> OutputError:
    return OutputError(
        expected=expected, got=got, consequence="nothing was written", remedy="choose another output: --out FOLDER"
    )

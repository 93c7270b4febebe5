"""What came of a publication: the checks, and what lies where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, manifest, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import DataError
from rankdistill.evaluation.verdict.records import Finding

if TYPE_CHECKING:
    import polars as pl

ARTEFACT, FILE_NAME = "publication", "preflight.json"


@dataclass(frozen=True, repr=False)
class Published(Shown):
    """A publication as it lies in its folder; it prints as its checks, the verdict last.

    Args:
        path: its folder.
        name: of the model.
        revision: that the results are filed under.
        findings: one a check, in the order of `registry.CHECKS`.
        sent: what left this machine, a line each; empty after a dry run.
    """

    path: Path
    name: str
    revision: str
    findings: Sequence[Finding]
    sent: Sequence[str] = ()

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Published({str(self.path)!r}: {self.name}, {'ready' if self.ready else 'refused'})"

    @property
    def ready(self) -> bool:
        """Whether no check refuses."""
        return all(one.passed for one in self.findings)

    def finding(self, check: str) -> Finding:
        """What the check of this name found; KeyError without one."""
        return {one.check: one for one in self.findings}[check]

    @property
    def was_run(self) -> bool:
        """Whether mteb's mock tasks said something of the model."""
        return self.finding("mock_run").judged

    @property
    def sentence(self) -> str:
        """The verdict, with its reasons."""
        reasons = [one.reason for one in self.findings if not one.passed]
        if reasons:
            return f"Refuse to publish {self.name}, {', '.join(reasons)}."
        return f"Ready to publish {self.name}, revision {self.revision[:12]}."

    @property
    def results(self) -> Path:
        """The files for mteb."""
        return self.path / "results" / self.name.replace("/", "__") / self.revision

    def tables(self) -> list[Table]:
        """A check a row."""
        rows = [[one.check, str(one.status), one.sentence] for one in self.findings]
        return [Table(self.name, ["check", "verdict", "finding"], rows, texts=3)]

    def lines(self) -> list[str]:
        """What lies where, what was sent, the verdict."""
        return [
            f"{self.path}: README.md, model_meta.py, {self.results.relative_to(self.path)}",
            *self.sent,
            self.sentence,
        ]

    def to_polars(self) -> pl.DataFrame:
        """A check a row: check, status, sentence."""
        import polars as pl

        rows = [(one.check, str(one.status), one.sentence) for one in self.findings]
        return pl.DataFrame(rows, schema={name: pl.String for name in ("check", "status", "sentence")}, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Name, revision, whether it is ready, and the findings."""
        return {
            "publication": str(self.path),
            "name": self.name,
            "revision": self.revision,
            "ready": self.ready,
            "sentence": self.sentence,
            "findings": [one.model_dump(mode="json") for one in self.findings],
            "sent": list(self.sent),
        }

    @classmethod
    def read(cls, folder: Path) -> Published:
        """The publication in `folder`.

        Raises:
            DataError: there is none, or its preflight cannot be read.
        """
        manifest.expect(folder, ARTEFACT, "publish")
        try:
            content: Mapping[str, Any] = plain_json.loads(integrity.read_text(folder / FILE_NAME))
            findings = [Finding.model_validate(one) for one in content["findings"]]
            return cls(folder, content["name"], content["revision"], findings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                expected="a publication, as `rankdistill publish` writes it",
                got=f"{folder / FILE_NAME}: {type(error).__name__}: {error}",
                consequence="nothing was read",
                remedy="remove the folder and publish again",
            ) from error

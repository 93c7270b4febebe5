"""Where things lie inside a score store.

manifest.json                        written last; absent while the store is unfinished
candidates/<hash>.parquet            the candidate tables that were scored, as mined
queries.parquet, documents.parquet   each text once: (query_id, text), (doc_id, text)
teachers/<teacher_id>.json           the teacher's whole fingerprint
scores/<teacher_id>/part-*.parquet   the scores; a file that is there is complete
names.json                           what people call the teachers; see `rankdistill.teachers.names`
.times.json                          seconds that each shard took; no part of the manifest, see `times`
plan/<teacher_id>/                   pairs still to score, one row group a work unit; gone once all are scored

A store may lie in an object store as well as in a folder: see `rankdistill.locations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rankdistill import locations

ARTEFACT = "scores"


@dataclass(frozen=True)
class Layout:
    """The paths of the store in the folder `root`."""

    root: Path

    @property
    def candidates(self) -> Path:
        """Folder of candidate tables."""
        return self.root / "candidates"

    def candidate_table(self, content_hash: str) -> Path:
        """Where the candidate table of this content lies."""
        return self.candidates / f"{content_hash[:16]}.parquet"

    def candidate_tables(self) -> list[Path]:
        """The candidate tables that were scored, sorted by name."""
        return locations.listing(self.candidates, "*.parquet")

    @property
    def queries(self) -> Path:
        """Query texts."""
        return self.root / "queries.parquet"

    @property
    def documents(self) -> Path:
        """Document texts."""
        return self.root / "documents.parquet"

    @property
    def calibration(self) -> Path:
        """The pairs that quantised teachers are calibrated with; absent without such teachers."""
        return self.root / "calibration.json"

    def teacher(self, teacher_id: str) -> Path:
        """The fingerprint of one teacher."""
        return self.root / "teachers" / f"{teacher_id}.json"

    def fidelity(self, teacher_id: str) -> Path:
        """How near one teacher's scores are to float32's; absent for exact teachers."""
        return self.root / "fidelity" / f"{teacher_id}.json"

    def scores(self, teacher_id: str) -> Path:
        """Folder of one teacher's shards."""
        return self.root / "scores" / teacher_id

    def shards(self, teacher_id: str) -> list[Path]:
        """The finished shards of one teacher, sorted by name."""
        return locations.listing(self.scores(teacher_id), "part-*.parquet")

    def plan(self, teacher_id: str) -> Path:
        """Folder of one teacher's unfinished plan."""
        return self.root / "plan" / teacher_id

    def teacher_ids(self) -> list[str]:
        """Every teacher that has been registered here, sorted."""
        return [path.stem for path in locations.listing(self.root / "teachers", "*.json")]

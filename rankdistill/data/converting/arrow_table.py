"""A folder that `datasets` saved (`save_to_disk`): one data set, or several splits, one read after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import locations
from rankdistill._extras import require
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting.parquet_table import BATCH, columns_of, values_of
from rankdistill.data.converting.table import Column, Row, hash_of, require_columns
from rankdistill.errors import DataError


@dataclass(frozen=True)
class ArrowTable:
    """What `datasets` saved.

    Args:
        folder: with `state.json`, or with `dataset_dict.json` and a folder a split.
    """

    folder: Path

    @property
    def encodings(self) -> list[str]:
        """See `Table`."""
        return []

    @cached_property
    def digest(self) -> str:
        """See `Table`."""
        return hash_of(locations.all_files(self.folder), self.folder)

    @cached_property
    def splits(self) -> dict[str, Any]:
        """Name of a split -> its data set; one without splits has the name ''.

        Raises:
            DataError: the folder is damaged.
        """
        library = require("datasets", "reading a folder that `datasets` saved")
        try:
            found = library.load_from_disk(str(self.folder))
        except Exception as error:  # each kind of damage raises its own
            raise DataError(
                expected=f"a folder that `save_to_disk` of datasets wrote: {self.folder}",
                got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'unreadable'}",
                consequence="nothing was written",
                remedy="save it again",
            ) from error
        return dict(found) if isinstance(found, dict) else {"": found}

    @cached_property
    def columns(self) -> list[Column]:
        """See `Table`."""
        return columns_of(next(iter(self.splits.values())).features.arrow_schema)

    def rows(self, wanted: Sequence[str], bad: BadRows) -> Iterator[Row]:
        """See `Table`; lines are rows, of each split from 1.

        Raises:
            DataError: a split lacks a column.
        """
        for name, split in self.splits.items():
            path = self.folder / name if name else self.folder
            require_columns(path, columns_of(split.features.arrow_schema), wanted)
            batches = split.select_columns(list(dict.fromkeys(wanted))).with_format("arrow").iter(BATCH)
            yield from (Row(path, number, values) for number, values in enumerate(values_of(path, batches), start=1))

"""Results that know the folder they lie in, without it being part of what they say."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import ClassVar, Self

from rankdistill.display import Shown
from rankdistill.errors import ConfigError


class Measured(Shown):
    """A result that may have been written to a folder."""

    _path: ClassVar[Path | None] = None

    @property
    def path(self) -> Path | None:
        """Its folder; None where it lies in none."""
        return self._path

    def lying_in(self, folder: Path) -> Self:
        """The same, which knows that it lies in `folder`."""
        found = copy(self)
        object.__setattr__(found, "_path", folder)
        return found

    def __fspath__(self) -> str:
        if self._path is None:
            raise ConfigError(
                expected="a result that was written to a folder",
                got=repr(self),
                consequence="nothing was run",
                remedy="give `out` where it is measured",
            )
        return str(self._path)

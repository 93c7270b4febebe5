"""Shares of a plan, for several writers at once: share i of n takes every n-th work unit; one writer a share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rankdistill import files, locations
from rankdistill.errors import ConfigError, LockedError
from rankdistill.stores.layout import Layout


@dataclass(frozen=True)
class Share:
    """Share `number` of `count`; numbers start at 1."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise _bad_share(f"{self.number}/{self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, units: int) -> range:
        """The numbers of this share's units: u with u % count == number - 1."""
        return range(self.number - 1, units, self.count)


WHOLE = Share()
"""Every unit."""


def parse_share(text: str) -> Share:
    """The share written as `i/n`, as in `2/3`; raises ConfigError for anything else."""
    number, slash, count = text.partition("/")
    if not (slash and number.strip().isdecimal() and count.strip().isdecimal()):
        raise _bad_share(text)
    return Share(int(number), int(count))


def _bad_share(text: str) -> ConfigError:
    return ConfigError(
        expected="a share i/n with 1 <= i <= n, as 1/3, 2/3 and 3/3 for three writers",
        got=repr(text),
        consequence="nothing was run",
        remedy="number the writers from 1 to n",
    )


@contextmanager
def taken(layout: Layout, teacher_id: str, share: Share) -> Iterator[None]:
    """Be the only writer of `share` of the teacher's plan. Enter it while holding the store's lock.

    Raises:
        LockedError: another process writes this share, or a share of another division of the plan.
    """
    for other in living_shares(layout, teacher_id):
        if other == str(share) or other.partition("/")[2] != str(share.count):
            raise LockedError(
                expected=f"to be the only process that writes share {share} of {teacher_id} in {layout.root}",
                got=f"another process writes share {other}",
                consequence="nothing was written",
                remedy="wait for it to end; several writers at once need --shard 1/n to n/n with the same n"
                + files.if_holder_is_dead(lock_folder(layout, teacher_id, other)),
            )
    with files.exclusive(lock_folder(layout, teacher_id, str(share))):
        yield


def living_shares(layout: Layout, teacher_id: str) -> list[str]:
    """The shares, as `i/n`, of the teacher's plan that living processes write. Call it under the store's lock."""
    found = locations.listing(_folder(layout, teacher_id), "*-of-*")
    return [path.name.replace("-of-", "/") for path in found if _is_locked(path)]


def lock_folder(layout: Layout, teacher_id: str, share: str) -> Path:
    """Where the lock of a share, written as `i/n`, lies."""
    return _folder(layout, teacher_id) / share.replace("/", "-of-")


def _is_locked(folder: Path) -> bool:
    with ExitStack() as stack:
        try:
            stack.enter_context(files.exclusive(folder))
        except LockedError:
            return True
    return False


def _folder(layout: Layout, teacher_id: str) -> Path:
    return layout.plan(teacher_id) / "writers"

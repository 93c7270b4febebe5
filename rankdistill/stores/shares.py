"""Shares of a plan, for several writers at once: share i of n takes every n-th work unit; one writer a share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rankdistill import files, locations
from rankdistill.errors import ConfigError, LockedError


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

WRITERS = "writers"
"""Folder of the locks inside that of a plan."""


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
def taken(plan: Path, share: Share) -> Iterator[None]:
    """Be the only writer of `share` of the plan in the folder `plan`. Enter it while holding the store's lock.

    Raises:
        LockedError: another process writes this share, or a share of another division of the plan.
    """
    for other in living_shares(plan):
        if other == str(share) or other.partition("/")[2] != str(share.count):
            raise LockedError(
                expected=f"to be the only process that writes share {share} of the plan {plan}",
                got=f"another process writes share {other}",
                consequence="nothing was written",
                remedy="wait for it to end; several writers at once need --shard 1/n to n/n with the same n"
                + files.if_holder_is_dead(lock_folder(plan, other)),
            )
    with files.exclusive(lock_folder(plan, str(share))):
        yield


def living_shares(plan: Path) -> list[str]:
    """The shares, as `i/n`, of the plan in the folder `plan` that living processes write.

    Call it while holding the store's lock.
    """
    found = locations.listing(plan / WRITERS, "*-of-*")
    return [path.name.replace("-of-", "/") for path in found if _is_locked(path)]


def lock_folder(plan: Path, share: str) -> Path:
    """Where the lock of a share, written as `i/n`, lies."""
    return plan / WRITERS / share.replace("/", "-of-")


def _is_locked(folder: Path) -> bool:
    with ExitStack() as stack:
        try:
            stack.enter_context(files.exclusive(folder))
        except LockedError:
            return True
    return False

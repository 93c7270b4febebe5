"""How the verbs `ensemble` and `train` read a list of teachers and of weights."""

from __future__ import annotations


def parse_teachers(text: str) -> list[str]:
    """`A,B,C` as a list; raises ConfigError if one is empty."""
    from rankdistill.errors import ConfigError

    found = [one.strip() for one in text.split(",")]
    if not all(found):
        raise ConfigError(
            expected="teachers with commas between them, such as A,B,C",
            got=repr(text),
            consequence="nothing was read",
            remedy="`rankdistill status STORE` lists them",
        )
    return found


def parse_weights(text: str | None) -> list[float] | None:
    """`0.5,0.3,0.2` as numbers; None stays None; raises ConfigError if one is no number."""
    from rankdistill.errors import ConfigError

    if text is None:
        return None
    try:
        return [float(one) for one in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected="numbers with commas between them, such as 0.5,0.3,0.2",
            got=repr(text),
            consequence="nothing was read",
            remedy="give one weight a teacher, in the order of the teachers",
        ) from error

"""What a flag's words mean: lists with commas, layers."""

from __future__ import annotations

from rankdistill.errors import ConfigError


def numbers(text: str | None, what: str) -> list[float] | None:
    """`0.7,0.3` as numbers; None stays None.

    Args:
        text: as typed.
        what: one of them, for the message: `weight`.

    Raises:
        ConfigError: a part is no number.
    """
    from rankdistill.data.values import number

    if text is None:
        return None
    try:
        return [number(part, what) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected=f"{what}s as numbers with commas between, as 0.7,0.3",
            got=repr(text),
            consequence="nothing was run",
            remedy="write them so",
        ) from error


def names(text: str | None, what: str) -> list[str] | None:
    """`A,B,C` as a list; None stays None; raises ConfigError if one is empty."""
    if text is None:
        return None
    found = [one.strip() for one in text.split(",")]
    if not all(found):
        raise ConfigError(
            expected=f"{what}s with commas between them, such as A,B,C",
            got=repr(text),
            consequence="nothing was run",
            remedy=f"leave no {what} empty",
        )
    return found


def wholes(text: str | None, what: str) -> list[int] | None:
    """`384,128` as whole numbers; None stays None.

    Args:
        text: as typed.
        what: one of them, for the message: `dimension`.

    Raises:
        ConfigError: a part is no whole number.
    """
    from rankdistill.data.values import whole

    if text is None:
        return None
    try:
        return [whole(part, what) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected=f"{what}s as whole numbers with commas between them, such as 128,32",
            got=repr(text),
            consequence="nothing was run",
            remedy="write them so",
        ) from error


def layers(text: str | None) -> list[int] | None:
    """`0,5` as numbers of layers; None stays None; raises ConfigError if one is no whole number."""
    from rankdistill.data.values import whole

    if text is None:
        return None
    try:
        return [whole(one, "layer") for one in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected="layer numbers with commas between them, such as 0,5",
            got=repr(text),
            consequence="nothing was run",
            remedy="count layers from 0",
        ) from error

"""What the verbs with fusion share."""

from __future__ import annotations


def parse_weights(text: str | None) -> tuple[float, ...] | None:
    """`0.7,0.3` as two numbers; None stays None.

    Raises:
        ConfigError: a part is no number.
    """
    from rankdistill.errors import ConfigError

    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            expected="weights as numbers with commas between, as 0.7,0.3",
            got=repr(text),
            consequence="nothing was fused",
            remedy="give one weight for each system",
        ) from error

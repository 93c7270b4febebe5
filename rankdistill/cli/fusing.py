"""What the verbs with fusion share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankdistill.fusion import Fusion


def parse_fusion(method: str | None, weights: str | None) -> Fusion | None:
    """The fusion of `--fusion METHOD --weights A,B`; None where there is no method.

    Raises:
        ConfigError: weights without a method, no such method, or weights that are no numbers.
    """
    from rankdistill.errors import ConfigError
    from rankdistill.fusion import Fusion

    if method is not None:
        return Fusion(method, parse_weights(weights))
    if weights is not None:
        raise ConfigError(
            expected="--weights with --fusion METHOD",
            got="--weights alone",
            consequence="nothing was run: nothing would be fused",
            remedy="add --fusion, or leave the weights out",
        )
    return None


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

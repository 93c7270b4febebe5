"""The checks by name, in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Callable

from rankdistill.gate.check import About, Check
from rankdistill.gate.checks.agreement import Agreement
from rankdistill.gate.checks.coverage import Coverage
from rankdistill.gate.checks.duplicates import Duplicates
from rankdistill.gate.checks.false_negatives import FalseNegatives
from rankdistill.gate.checks.finite import Finite
from rankdistill.gate.checks.gain import Gain
from rankdistill.gate.checks.order import Order
from rankdistill.gate.checks.positives import Positives
from rankdistill.gate.checks.resolution import Resolution
from rankdistill.gate.checks.saturation import Saturation
from rankdistill.gate.checks.scale import Scale
from rankdistill.gate.checks.spread import Spread
from rankdistill.gate.checks.unit import Unit

CHECKS: dict[str, Callable[[About], Check]] = {
    "finite": Finite,
    "duplicates": Duplicates,
    "coverage": Coverage,
    "saturation": Saturation,
    "resolution": Resolution,
    "spread": Spread,
    "positives": Positives,
    "gain": Gain,
    "order": Order,
    "agreement": Agreement,
    "false_negatives": FalseNegatives,
    "scale": Scale,
    "unit": Unit,
}

"""What was measured as JSON: dataclasses become objects, arrays lists, and what is not a number null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from classifiers.measures import RiskCoverage

DECIMALS = 5
COVERAGES = [twentieth / 20 for twentieth in range(1, 21)]


def plain(value: Any) -> Any:
    """Anything of this package as JSON's own types; curves of risk at every twentieth of coverage."""
    match value:
        case RiskCoverage():
            return {"coverage": COVERAGES, "risk": [plain(1 - value.accuracy_at(part)) for part in COVERAGES]}
        case np.ndarray():
            return [plain(item) for item in value.tolist()]
        case float() | np.floating():
            return round(float(value), DECIMALS) if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value

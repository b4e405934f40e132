"""The one percentile of the project: nearest rank, so that each is a value that occurred.

Source: NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.6.2, without interpolation; numpy's ``inverted_cdf``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The least of the values that at least ``share`` of them do not exceed.

    Args:
        ordered: at least one value, the least first.
        share: above 0, at most 1; 0.95 is the 95th percentile.
    """
    if not ordered or not 0 < share <= 1:
        raise ValueError("a percentile is of at least one value, with a share above 0 and at most 1")
    return ordered[math.ceil(round(share * len(ordered), 9)) - 1]

"""Properties whose examples share one fixture, which they leave as they found it."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck

SHARED: Final = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
"""What Hypothesis does not look at there; naming any replaces what the suite's profile names."""

"""A few labelled conversations to try ``patchbay policy frontier`` and ``tune`` on. Provenance: ``SOURCES.md``."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent

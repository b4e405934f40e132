"""``patchbay redaction schema``: the JSON Schema by which editors complete and explain redaction policies."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from compliance.redaction.schema import schema
from service.cli.policy.shared import write_text


def print_schema(out: Path | None) -> int:
    """Write the schema to ``out``, or to standard output.

    Raises:
        CommandError: the file cannot be written.
    """
    if out is None:
        sys.stdout.write(schema_text())
    else:
        write_text(out, schema_text())
    return 0


def schema_text() -> str:
    """The schema as it stands in a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"

"""``patchbay policy schema``: the JSON Schema by which editors complete and explain policies."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path

from engines.catalogue import Catalogue
from router.schema import schema
from service.cli.policy.shared import write_text


def print_schema(catalogue: Path, out: Path | None) -> int:
    """Write the schema to ``out``, or to standard output; engines are those of the catalogue.

    Raises:
        policies.DocumentError: the catalogue cannot be used.
        CommandError: the file cannot be written.
    """
    text = schema_text(Catalogue.load(catalogue).names)
    if out is None:
        sys.stdout.write(text)
    else:
        write_text(out, text)
    return 0


def schema_text(engines: Collection[str]) -> str:
    """The schema as it stands in a file."""
    return json.dumps(schema(engines), indent=2, ensure_ascii=False) + "\n"

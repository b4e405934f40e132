"""``python -m lab.shop --database shop.sqlite``: the shop as an MCP server of its own."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.shop.server import serve_http, tools
from lab.shop.store import Shop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.shop", description=__doc__)
    parser.add_argument(
        "--database", type=Path, required=True, help="SQLite file, made and filled if missing"
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--stdio", action="store_true", help="speak MCP on standard input and output instead")
    options = parser.parse_args()
    try:
        server = tools(Shop(options.database, today=datetime.now(UTC).date()))
    except LabError as error:
        sys.exit(str(error))
    if options.stdio:
        server.run("stdio")
    else:
        serve_http(server, port=options.port)


if __name__ == "__main__":
    main()

"""The lab's own endpoints, for who runs it as a separate process: health, faults, journal.

``GET /lab/health``; ``PUT /lab/faults/{provider}`` with a fault as JSON, ``DELETE`` to clear; ``GET /lab/journal``
(``?provider=…&after=N`` for the entries from number N on).
"""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import Fault


def routes(context: LabContext) -> list[web.RouteDef]:
    async def health(_: web.Request) -> web.Response:
        return web.json_response({"ok": True, "simulated": True, "delays": context.delays.describe()})

    async def set_fault(request: web.Request) -> web.Response:
        try:
            fault = Fault.from_json(await request.json())
            context.faults.set(request.match_info["provider"], fault)  # type: ignore[arg-type]
        except (LabError, ValueError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"ok": True})

    async def clear_faults(request: web.Request) -> web.Response:
        context.faults.clear(request.match_info.get("provider"))  # type: ignore[arg-type]
        return web.json_response({"ok": True})

    async def journal(request: web.Request) -> web.Response:
        provider = request.query.get("provider")
        after = int(request.query.get("after", "0"))
        entries = context.journal.entries
        chosen = [asdict(entry) for entry in entries[after:] if provider in (None, entry.provider)]
        return web.json_response({"next": len(entries), "entries": chosen})

    return [
        web.get("/lab/health", health),
        web.put("/lab/faults/{provider}", set_fault),
        web.delete("/lab/faults/{provider}", clear_faults),
        web.delete("/lab/faults", clear_faults),
        web.get("/lab/journal", journal),
    ]

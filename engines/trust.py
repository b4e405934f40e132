"""One TLS context for the whole process, whoever is asked.

Left to themselves, the clients of each model, voice, recogniser and tool server load the machine's certificates, some
20 ms apiece, in which the loop of the call that begins, and of every other in the process, stands still.
"""

from __future__ import annotations

import ssl
from functools import cache

import httpx2


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates are believed: those that the machine believes, as of when a call first needed them."""
    return httpx2.create_ssl_context()

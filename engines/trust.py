"""One TLS context for the parts of all calls of a process.

Left to themselves, the clients of each model, voice, recogniser and tool server load the machine's certificates, some
20 ms apiece, in which the loop of the call that begins, and of every other in the process, stands still. (Google's
language model still does: the plugin makes its client.)
"""

from __future__ import annotations

import ssl
from functools import cache

import httpx2


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates are believed, as of when a call first needed them.

    They are those that the machine believes, and beside them what ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name; httpx by
    itself would believe nobody else then.
    """
    context = httpx2.create_ssl_context(trust_env=False)
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])  # as httpx would at its first request, and others never
    return context

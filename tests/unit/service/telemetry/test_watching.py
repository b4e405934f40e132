"""What a process tells of its calls, and to whom."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from service.telemetry import watchers
from tests.unit.service.sample_call import furious_call

pytestmark = pytest.mark.unit

EXPORTS = """
import os
from service.telemetry import watchers
from tests.unit.service.sample_call import furious_call
for watch in watchers(os.environ):
    for event in furious_call():
        watch(event)
"""


class Collector(BaseHTTPRequestHandler):
    """An OTLP receiver that keeps what it was sent."""

    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


def test_without_a_collector_nothing_is_exported() -> None:
    assert len(watchers({})) == 1


def test_figures_are_registered_once_however_often_they_are_asked_for() -> None:
    assert watchers({}) == watchers({})


def test_spans_of_a_call_reach_an_otlp_collector_without_a_word_of_it() -> None:
    handler = type("Kept", (Collector,), {"received": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{server.server_port}"
            done = subprocess.run(  # noqa: S603 -- our own program
                [sys.executable, "-c", EXPORTS],
                env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
                capture_output=True,
                timeout=300,
                text=True,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 0, done.stderr
    [(path, body), *_] = handler.received
    assert path == "/v1/traces"
    assert b"patchbay.heard_ms" in body
    assert b"execute_tool" in body
    words = [getattr(event, "text", "") for event in furious_call()]
    assert not any(text.encode() in body for text in words if text)

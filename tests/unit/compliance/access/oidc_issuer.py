"""A small OpenID Connect issuer on loopback: discovery, keys that rotate, tokens, and every lie a test wants."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from compliance.access import Issuer

AUDIENCE = "patchbay-audit"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class OidcIssuer:
    """What it answers and signs; change it between two requests.

    Attributes:
        keys: what it signs with, by key id; their public halves are published.
        discovery: what its discovery document says beside or instead of the truth.
        served: the paths that were asked for.
        broken: answers everything with an error.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/realm"
        self.keys: dict[str, Key] = {}
        self.discovery: dict[str, Any] = {}
        self.served: list[str] = []
        self.broken = False
        self.jwks: bytes | None = None

    def trusted(self, **how: Any) -> Issuer:
        """The issuer as a deployment knows it, with all the time that a busy machine takes."""
        return Issuer(self.url, AUDIENCE, timeout_s=60.0, **how)

    def token(
        self, *, kid: str, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that is good for an hour, but for what ``claims`` say; a claim that is None is left out."""
        return jwt.encode(
            self.claims(**claims),
            self.keys[kid],
            algorithm=algorithm,
            headers={"kid": kid} if headers is None else headers,
        )

    def claims(self, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "2b7f",
            "iat": now,
            "exp": now + 3600,
            "roles": ["auditor"],
        }
        return {name: value for name, value in (usual | other).items() if value is not None}

    def signed_by_public_key(self, kid: str) -> str:
        """A token whose HMAC key is the text of a public key (the oldest trick: RFC 8725, section 2.1)."""
        pem = self.keys[kid].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": kid}, self.claims())]
        signature = hmac.new(pem, b".".join(parts), hashlib.sha256).digest()
        return b".".join([*parts, _base64(signature)]).decode()

    def answer(self, path: str) -> bytes | None:
        self.served.append(path)
        if self.broken:
            return None
        if path == "/realm/.well-known/openid-configuration":
            document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            return json.dumps(document | self.discovery).encode()
        if path == "/realm/keys":
            return (
                self.jwks
                or json.dumps({"keys": [_public(kid, key) for kid, key in self.keys.items()]}).encode()
            )
        return None


def _public(kid: str, key: Key) -> dict[str, Any]:
    algorithm = {
        rsa.RSAPrivateKey: ("RS256", jwt.algorithms.RSAAlgorithm),
        ec.EllipticCurvePrivateKey: ("ES256", jwt.algorithms.ECAlgorithm),
        ed25519.Ed25519PrivateKey: ("EdDSA", jwt.algorithms.OKPAlgorithm),
    }
    name, algorithms = next(value for kind, value in algorithm.items() if isinstance(key, kind))
    return {**algorithms.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": name, "use": "sig"}


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def serving() -> Iterator[OidcIssuer]:
    """Answers on a port of this machine until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = issuer.answer(self.path)
            self.send_response(503 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = OidcIssuer(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="issuer")
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()

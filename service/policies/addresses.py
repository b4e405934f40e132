"""Addresses that a policy may be fetched from."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit


def is_address(place: str) -> bool:
    """Whether a place is an address rather than a path."""
    return "://" in place


def safe_address(address: str) -> str:
    """``address`` itself, when it is ``https``, or ``http`` on this machine.

    Raises:
        ValueError: it is neither.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if not host:
        raise ValueError("an address names a host: https://HOST/PATH")
    if parts.scheme == "https" or (parts.scheme == "http" and _this_machine(host)):
        return address
    raise ValueError("a policy comes over https, or over http from this machine only")


def shown_address(address: str) -> str:
    """The address without what may be a secret in it: a password, a token in its query."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Other forms of digits and of ASCII: ``⁴¹¹``, ``④①①``, ``ｊａｎｅ＠ｇｍａｉｌ．ｃｏｍ``."""

from __future__ import annotations

import unicodedata
from itertools import chain
from typing import Final

_FULL_WIDTH = range(0xFF01, 0xFF5F)
"""ASCII from ``!`` to ``~`` as wide as an ideograph (Unicode's block of half-width and full-width forms)."""
_DIGITS = chain(
    range(0xB2, 0xBA),  # superscripts of Latin-1
    range(0x2070, 0x208A),  # superscripts and subscripts
    range(0x2460, 0x2500),  # enclosed alphanumerics
    range(0x2776, 0x2794),  # dingbats
    range(0x1F100, 0x1F10B),  # with a full stop or a comma
)
_PLAIN: Final = {
    **{code: str(digit) for code in _DIGITS if (digit := unicodedata.digit(chr(code), None)) is not None},
    **{code: chr(code - 0xFF01 + ord("!")) for code in _FULL_WIDTH},
    **dict.fromkeys(map(ord, "。｡"), "."),
}


def plain(text: str) -> str:
    """``text`` with them written plainly, at the same length."""
    return text if text.isascii() else text.translate(_PLAIN)

"""Presidio's e-mail rule without the network."""

from __future__ import annotations

from presidio_analyzer.predefined_recognizers import EmailRecognizer
from tldextract import TLDExtract


class OfflineEmail(EmailRecognizer):
    """The stock rule downloads the public suffix list on first use; this one reads the copy in the package."""

    def __init__(self) -> None:
        self._suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None)
        super().__init__(name="EmailRecognizer")

    def validate_result(self, pattern_text: str) -> bool:
        return self._suffixes(pattern_text).fqdn != ""

"""Copies of calls to take away, redacted, with which an outsider can verify that nothing of them was changed.

An export is a folder:

==================  ==================================================================================================
the format's files  what people and programs read; see :mod:`compliance.export.formats`
``proofs.jsonl``    the signed checkpoint, then each entry with its proof; see :mod:`compliance.export.proved`
``checkpoint.txt``  the checkpoint alone, for other tools
``key.txt``         the key it is signed with; an auditor has it from elsewhere
``manifest.txt``    a signed note with the SHA-256 of each other file
==================  ==================================================================================================

``python -m compliance.ledger.verifier FOLDER --key VKEY`` checks all of it.
"""

from compliance.export.errors import ExportError
from compliance.export.formats import FORMATS, Format, file_name
from compliance.export.proved import ProvedCall, ProvedEntry, Statement, proved_call
from compliance.export.writing import export

__all__ = [
    "FORMATS",
    "ExportError",
    "Format",
    "ProvedCall",
    "ProvedEntry",
    "Statement",
    "export",
    "file_name",
    "proved_call",
]

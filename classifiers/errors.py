"""The one error family of the classifiers."""

from __future__ import annotations

from pathlib import Path


class ClassifierError(Exception):
    """A classifier cannot be loaded or cannot answer.

    The message says which model folder, what is wrong in it and what to do. Callers on a live call catch this
    one type and go on without the signal.
    """

    def __init__(self, folder: Path, what: str, remedy: str) -> None:
        self.folder = folder
        self.what = what
        self.remedy = remedy
        super().__init__(f"{folder}: {what}; {remedy}")

"""The shipped language models and how a recogniser process gets at them."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LanguageModel = Literal["callers", "support"]
"""``callers`` knows the very lines of the shipped callers (an oracle, to be declared); ``support`` does not."""

MODELS = Path(__file__).parent / "models_en"
DICTIONARY = MODELS / "words.dict.xz"
INPUTS = MODELS / "inputs.sha256"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """An unpacked model: pocketsphinx reads it by path."""

    language_model: Path
    dictionary: Path


def packed_model(which: LanguageModel) -> Path:
    """Where the packed model is."""
    return MODELS / f"{which}.lm.bin.xz"


def unpack(which: LanguageModel, folder: Path) -> ModelFiles:
    """Unpack a model and its dictionary (2 MB, 60 ms) into ``folder``."""
    files = ModelFiles(folder / "model.lm.bin", folder / "words.dict")
    for packed, path in ((packed_model(which), files.language_model), (DICTIONARY, files.dictionary)):
        path.write_bytes(lzma.decompress(packed.read_bytes()))
    return files

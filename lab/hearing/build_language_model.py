"""Builds the shipped language models: ``python -m lab.hearing.build_language_model`` (about ten seconds).

The general model shrinks from 27 MB to 1.8 MB (.9 MB packed) without loss on the callers, so the result is
committed and nobody waits for it. ``inputs.sha256`` names what it was built from; a test compares.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from pocketsphinx import get_model_path  # type: ignore[import-untyped]

from lab.hearing.base_model import read_base_model
from lab.hearing.language_model import Trigrams, estimated, mixed, pruned, write_arpa
from lab.hearing.models import DICTIONARY, INPUTS, MODELS, packed_model
from lab.hearing.support_text import support_sentences

VOCABULARY = 8_000
PRUNING_THRESHOLD = 1e-6
SUPPORT_SHARE = 0.8
CALLERS_SHARE = 0.7

_CALLER_LINES = Path(__file__).parents[1] / "callers" / "manifest.json"
# how flite's voices say two words that callers say a lot, to the acoustic model's ears: "thank" with an "s", and
# the end of "eight" merged into the "seven" that follows ("h" otherwise)
_ACCENT = ("thank(2) S AE NG K", "eight(2) EY CH")
# the writer is called in a process that ends at once: pocketsphinx 5.1.1 can crash when it frees the model
_COMPILE = """
import os, sys, pocketsphinx as ps
model = ps.NGramModel(ps.Config(hmm=None, lm=None, dict=None), ps.LogMath(), sys.argv[1])
model.write(sys.argv[2], ps.NGramModel.str_to_type("bin"))
os._exit(0)
"""


def caller_sentences() -> list[tuple[str, ...]]:
    """The lines of the shipped callers."""
    turns = json.loads(_CALLER_LINES.read_text(encoding="utf-8"))
    return [tuple(turn["text"].split()) for turn in turns if turn["text"]]


def inputs_digest() -> str:
    """SHA-256 (hex) of everything the models are built from."""
    inputs = {
        "pocketsphinx": version("pocketsphinx"),
        "settings": [VOCABULARY, PRUNING_THRESHOLD, SUPPORT_SHARE, CALLERS_SHARE],
        "accent": _ACCENT,
        "support": support_sentences(),
        "callers": caller_sentences(),
    }
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def build() -> None:
    """Write the models, their common dictionary and the digest of their inputs beside :mod:`lab.hearing.models`."""
    support, callers = support_sentences(), caller_sentences()
    vocabulary = {word for sentence in (*support, *callers) for word in sentence}
    base = read_base_model(Path(get_model_path("en-us/en-us.lm.bin")))
    general = pruned(base, vocabulary=VOCABULARY, keep=vocabulary, threshold=PRUNING_THRESHOLD)
    of_support = mixed(general, estimated(support), domain_share=SUPPORT_SHARE)
    of_callers = mixed(of_support, estimated(callers), domain_share=CALLERS_SHARE)

    MODELS.mkdir(exist_ok=True)
    pronunciations = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8")
    _pack(DICTIONARY, "\n".join(_dictionary(pronunciations, set(of_callers.p[()]))).encode())
    _pack(packed_model("support"), _compiled(of_support))
    _pack(packed_model("callers"), _compiled(of_callers))
    INPUTS.write_text(inputs_digest() + "\n", encoding="utf-8")


def _dictionary(pronunciations: str, vocabulary: set[str]) -> Iterable[str]:
    for line in pronunciations.splitlines():
        word, _, _ = line.partition(" ")
        if word.partition("(")[0] in vocabulary:
            yield line
    yield from _ACCENT
    yield ""


def _compiled(model: Trigrams) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        arpa, binary = Path(folder, "model.arpa"), Path(folder, "model.lm.bin")
        with arpa.open("w", encoding="utf-8") as out:
            write_arpa(model, out)
        subprocess.run([sys.executable, "-c", _COMPILE, str(arpa), str(binary)], check=True)  # noqa: S603 our own code
        return binary.read_bytes()


def _pack(path: Path, data: bytes) -> None:
    path.write_bytes(lzma.compress(data, preset=9))
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    build()

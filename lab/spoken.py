"""Numbers and addresses as callers speak them, read well enough for a scripted agent.

This is the scripted model's own reading of a transcript. It has nothing to do with redaction.
"""

from __future__ import annotations

import re

_UNIT_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
"""
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {"oh": "0"} | {word: str(value) for value, word in enumerate(_UNIT_WORDS.split())}
_TENS = {word: value for value, word in enumerate(_TEN_WORDS.split(), start=2)}
_REPEATS = {"double": 2, "triple": 3}
_SOUNDS_LIKE = {"to": "2", "too": "2", "for": "4", "fore": "4", "ate": "8", "won": "1", "o": "0"}
"""What a recogniser writes for a digit; believed only between digits."""

_EMAIL_WORDS = {"dot": ".", "underscore": "_", "dash": "-", "hyphen": "-"}


def with_digits(text: str) -> str:
    """``text`` in lower case with runs of number words as one figure: *four four one* becomes ``441``."""
    words = re.findall(r"[a-z']+\.?|\d+|[^\sa-z\d]", text.lower())
    out: list[str] = []
    in_run = False
    index = 0
    while index < len(words):
        word = words[index].rstrip(".")
        following = words[index + 1].rstrip(".") if index + 1 < len(words) else ""
        index += 1
        if word in _REPEATS and following in _UNITS:
            figure = _UNITS[following] * _REPEATS[word]
            index += 1
        elif word in _TENS:
            unit = _UNITS.get(following, "")
            figure = (
                str(_TENS[word] * 10 + int(unit)) if len(unit) == 1 and unit != "0" else f"{_TENS[word]}0"
            )
            index += len(unit) == 1 and unit != "0"
        elif word in _UNITS or word.isdigit():
            figure = _UNITS.get(word, word)
        elif in_run and word in _SOUNDS_LIKE and (not following or following in _UNITS):
            figure = _SOUNDS_LIKE[word]
        else:
            in_run = in_run and word == "-"
            if word != "-":
                out.append(words[index - 1])
            continue
        if in_run:
            out[-1] += figure
        else:
            out.append(figure)
        in_run = True
    return " ".join(out)


def figures(text: str) -> tuple[str, ...]:
    """Every run of digits spoken or written in ``text``, in order."""
    return tuple(re.findall(r"\d+", with_digits(text)))


def email(text: str) -> str | None:
    """The e-mail address in ``text``, spelled (*j o h n dot s m i t h at gmail dot com*) or written."""
    written = re.search(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text)
    if written:
        return written.group().lower()
    words = re.findall(r"[a-z]+|\d+", with_digits(text))
    for at, word in enumerate(words):
        if word != "at":
            continue
        local = ""
        for part in reversed(words[:at]):
            if len(part) > 1 and part not in _EMAIL_WORDS and not part.isdigit():
                break
            local = _EMAIL_WORDS.get(part, part) + local
        domain = "".join(_EMAIL_WORDS.get(part, part) for part in words[at + 1 :])
        if local.strip(".-_") and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain):
            return f"{local.strip('.-_')}@{domain}"
    return None


def spelled(text: str) -> str:
    """``text`` as a voice should read it, sign by sign: ``ab.c@d.com`` is *a b dot c at d.com*.

    The domain, which callers do not check, stays in words.
    """
    local, at, domain = text.partition("@")
    signs = " ".join({".": "dot", "_": "underscore", "-": "dash"}.get(sign, sign) for sign in local)
    return f"{signs} at {domain.replace('.', ' dot ')}" if at else signs

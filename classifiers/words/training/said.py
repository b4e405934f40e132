"""How numbers, codes, addresses, dates and names are said, as recognisers write them."""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

from collections.abc import Callable
from random import Random

Maker = Callable[[Random], list[str]]
"""Makes up something to read out: the words, in order."""

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NATO = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa "
    "quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()
EXAMPLES = (
    "apple ben charlie david edward freddy george harry indigo john kilo london mother nancy orange peter "
    "queen robert sugar tom uncle victor william xray yellow zebra"
).split()
MONTHS = ("january february march april may june july august september october november december").split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
NAMES = (
    "anna ben carla david emma frank greta hassan ines jonas karen liam maria nadia oskar paula quentin "
    "rosa stefan tara ulrich vera walter xenia yusuf zoe miller smith jones novak silva weber costa "
    "martin khan olsen larsen moreau rossi garcia kowalski jansen brown taylor evans wright hughes "
    "schmidt"
).split()
HOSTS = "gmail hotmail outlook yahoo icloud example mailbox webmail company".split()
ENDINGS = ["com", "com", "com", "net", "org", "co uk", "de"]


def digits(written: str, rng: Random) -> list[str]:
    """``written`` in figures or in words, in groups or one by one."""
    style = rng.random()
    if style < 0.25:
        return list(written)
    if style < 0.4:
        groups: list[str] = []
        while written:
            size = rng.choice([2, 3, 3, 4, 4])
            groups, written = [*groups, written[:size]], written[size:]
        return groups
    pairs, doubles = rng.random() < 0.15, rng.random() < 0.4
    zero = rng.choice(["zero", "oh", "oh"])
    words: list[str] = []
    i = 0
    while i < len(written):
        digit, two = written[i], written[i : i + 2]
        if doubles and len(two) == 2 and two[0] == two[1]:
            words += ["double", zero if digit == "0" else DIGITS[int(digit)]]
            i += 2
        elif pairs and len(two) == 2 and digit != "0":
            words += _pair(two)
            i += 2
        else:
            words.append(zero if digit == "0" else DIGITS[int(digit)])
            i += 1
    return words


def _pair(two: str) -> list[str]:
    if two[0] == "1":
        return [TEENS[int(two[1])]]
    return [TENS[int(two[0]) - 2], *([DIGITS[int(two[1])]] if two[1] != "0" else [])]


def _letters(word: str, rng: Random) -> list[str]:
    style = rng.random()
    words: list[str] = []
    for letter in word:
        at = ord(letter) - ord("a")
        if style < 0.12:
            words.append(NATO[at])
        elif style < 0.22 or (style < 0.35 and rng.random() < 0.25):
            words += [
                letter,
                *rng.choice([["as", "in"], ["for"], ["like"]]),
                rng.choice([NATO, EXAMPLES])[at],
            ]
        elif letter == "w" and rng.random() < 0.5:
            words += ["double", "u"]
        elif words and len(words[-1]) == 1 and rng.random() < 0.08:
            words[-1] += letter  # recognisers run letters together
        else:
            words.append(letter)
    return words


def _some(count: int, rng: Random) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _letter_string(count: int, rng: Random) -> str:
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(count))


def number(*lengths: int) -> Maker:
    """Makes numbers of one of ``lengths``."""
    return lambda rng: digits(_some(rng.choice(lengths), rng), rng)


def mixed(rng: Random) -> list[str]:
    shape = rng.choice(["lldddd", "llddddddd", "lddddd", "lldlld", "lddlll", "llldddd", "dlldll", "llllll"])
    words: list[str] = []
    for kind in shape:
        words += _letters(_letter_string(1, rng), rng) if kind == "l" else digits(_some(1, rng), rng)
    return words


def postcode(rng: Random) -> list[str]:
    return [
        *_letters(_letter_string(rng.choice([1, 2, 2]), rng), rng),
        *digits(_some(rng.choice([1, 1, 2]), rng), rng),
        *digits(_some(1, rng), rng),
        *_letters(_letter_string(2, rng), rng),
    ]


def spelled(rng: Random) -> list[str]:
    name = rng.choice(NAMES)
    words = _letters(name, rng)
    return [name, *words] if rng.random() < 0.2 else words


def email(rng: Random) -> list[str]:
    local: list[str] = []
    for i in range(rng.choice([1, 1, 2, 2])):
        name = rng.choice(NAMES)
        joint = [rng.choice(["dot", "dot", "underscore", "dash"])] if i else []
        local += [*joint, *(_letters(name, rng) if rng.random() < 0.55 else [name])]
    if rng.random() < 0.25:
        local += digits(_some(2, rng), rng)
    return [*local, "at", rng.choice(HOSTS), "dot", *rng.choice(ENDINGS).split()]


def date(rng: Random) -> list[str]:
    day, month, year = rng.randint(1, 31), rng.choice(MONTHS), str(rng.randint(1925, 2024))
    said_year = rng.choice(
        [[year], _pair(year[:2]) + (_pair(year[2:]) if year[2] != "0" else ["oh", DIGITS[int(year[3])]])]
    )
    style = rng.random()
    if style < 0.3:
        return [*digits(f"{day:02}{rng.randint(1, 12):02}", rng), *said_year]
    said_day = (
        [ORDINALS[day - 1]]
        if day <= 20 and rng.random() < 0.6
        else [f"{day}th"]
        if rng.random() < 0.6
        else [str(day)]
    )
    if style < 0.8:
        return [*said_day, *(["of"] if rng.random() < 0.5 else []), month, *said_year]
    return [month, *said_day, *said_year]


def expiry(rng: Random) -> list[str]:
    return digits(f"{rng.randint(1, 12):02}{rng.randint(24, 34)}", rng)

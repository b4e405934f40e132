"""Ways to say what is written: strategies for digits, letters and addresses as people speak them."""

from __future__ import annotations

from hypothesis import strategies as st

ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NATO = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (
            *("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet"),
            *("kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango"),
            *("uniform", "victor", "whiskey", "x-ray", "yankee", "zulu"),
        ),
        strict=True,
    )
)
EXAMPLES = {"a": "apple", "b": "bravo", "e": "egg", "m": "mike", "n": "nancy", "s": "sam", "t": "tom"}


@st.composite
def digits_said(draw: st.DrawFn, digits: str) -> list[str]:
    """``digits`` as words, one list item for what is said in one go: a digit, a pair, a double."""
    said: list[str] = []
    at = 0
    while at < len(digits):
        rest = digits[at:]
        ways = ["single"]
        if len(rest) > 1 and rest[0] == rest[1]:
            ways.append("double")
        if len(rest) > 2 and len(set(rest[:3])) == 1:
            ways.append("triple")
        if len(rest) > 1 and rest[0] != "0":
            ways.append("pair")
        if len(rest) > 2 and rest[0] != "0" and rest[1:3] == "00":
            ways.append("hundred")
        if len(rest) > 3:
            ways.append("written")
        way = draw(st.sampled_from(ways))
        zero = draw(st.sampled_from(["zero", "oh"]))
        ones = zero if rest[0] == "0" else ONES[int(rest[0])]
        match way:
            case "single":
                said.append(ones)
                at += 1
            case "double":
                said.append(f"double {ones}")
                at += 2
            case "triple":
                said.append(f"triple {ones}")
                at += 3
            case "pair":
                said.append(_two(rest[:2]))
                at += 2
            case "hundred":
                said.append(f"{ones} hundred")
                at += 3
            case _:
                said.append(rest[:4])
                at += 4
    return said


def _two(pair: str) -> str:
    tens, ones = int(pair[0]), int(pair[1])
    if tens == 1:
        return TEENS[ones]
    return TENS[tens] + (f" {ONES[ones]}" if ones else "")


@st.composite
def breaths(draw: st.DrawFn, digits: str, most: int = 4, fewest_in_one: int = 2) -> list[str]:
    """``digits`` said in up to ``most`` breaths, none of which is a single digit."""
    said = draw(digits_said(digits))
    cuts: list[list[str]] = [[]]
    for i, word in enumerate(said):
        rest = sum(_digits(w) for w in said[i:])
        room = len(cuts) < most and rest >= fewest_in_one
        if room and sum(_digits(w) for w in cuts[-1]) >= fewest_in_one and draw(st.integers(0, 3)) == 0:
            cuts.append([])
        cuts[-1].append(word)
    return [" ".join(words) for words in cuts]


def _digits(word: str) -> int:
    if word.isdecimal():
        return len(word)
    first, _, _ = word.partition(" ")
    return {"double": 2, "triple": 3}.get(
        first, 3 if word.endswith("hundred") else 1 if word in (*ONES, "oh") else 2
    )


@st.composite
def spelled(draw: st.DrawFn, word: str) -> str:
    """``word`` letter by letter: ``s``, ``s as in sam`` or ``sierra``."""
    nato = draw(st.booleans())
    letters = []
    for letter in word:
        if nato:
            letters.append(NATO[letter])
        elif letter in EXAMPLES and draw(st.booleans()):
            letters.append(f"{letter} as in {EXAMPLES[letter]}")
        else:
            letters.append(letter)
    return " ".join(letters)


def numbers(length: int, first: str = "0123456789") -> st.SearchStrategy[str]:
    """Digits that are not all alike."""
    return st.tuples(
        st.sampled_from(first), st.text("0123456789", min_size=length - 1, max_size=length - 1)
    ).map("".join)

"""How values sound: numbers, dates, letters, addresses and e-mails as people say them and recognisers write them.

Everything is drawn from the ``Random`` that is given, so the same seed says the same.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from compliance.redaction.lexicon import NATO
from compliance.redaction.luhn import passes_luhn
from compliance.redaction.training import places
from compliance.redaction.training.people import People, Split, people

UNITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
MONTHS = "january february march april may june july august september october november december".split()
_EXAMPLES = (
    "apple boy cat dog egg frank george henry ice john king larry mary nancy orange peter queen robert sam tom uncle"
    " victor william xylophone yellow zebra"
).split()
_HEARD_AS = {"two": "to", "four": "for", "eight": "ate", "one": "won"}
_STREET_KINDS: dict[Split, list[str]] = {
    "train": "street avenue road drive lane court boulevard way place".split(),
    "dev": "street avenue road drive terrace grove".split(),
    "test": "street avenue road lane close crescent square".split(),
}
_DOMAINS = ("gmail", "yahoo", "hotmail", "outlook", "icloud", "aol", "proton")


@dataclass(frozen=True, slots=True)
class Sayer:
    """Says invented values of one split: ``sayer.say("card")``."""

    rng: Random
    split: Split

    @property
    def people(self) -> People:
        return people(self.split)

    def say(self, what: str) -> str:
        """An invented value of kind ``what`` (see ``KINDS`` in :mod:`compliance.redaction.training.invented`)."""
        return " ".join(str(getattr(self, what)()).split())

    # -- numbers -------------------------------------------------------------------------------------------
    def digits(self, digits: str, *, clean: bool = False, style: str = "") -> str:
        """``digits`` one by one, in pairs, with doubles, or as a recogniser formats them; ``clean``: no hesitations."""
        style = (
            style
            or self.rng.choices(["single", "double", "pairs", "written", "hundreds"], [50, 16, 10, 18, 6])[0]
        )
        if style == "written":
            size = self.rng.choice([len(digits), 3, 4, 4])
            joint = self.rng.choice([" ", " ", "-"])
            return joint.join(digits[i : i + size] for i in range(0, len(digits), size))
        words: list[str] = []
        nought = self.rng.choice(["zero", "oh", "oh", "o"])
        i = 0
        while i < len(digits):
            said, taken = self._next_number(digits[i:], style)
            words.append(nought if said == "zero" else said)
            i += taken
            if not clean and i < len(digits) and self.rng.random() < 0.03:
                words.append(self.rng.choice(["uh", "um", "and then", "then"]))
        text = " ".join(words)
        if clean:
            return text
        return re.sub(r"\b(?:two|four|eight|one)\b", self._perhaps_misheard, text)

    def _next_number(self, rest: str, style: str) -> tuple[str, int]:
        if style == "double" and rest[1:2] == rest[0]:
            if rest[2:3] == rest[0]:
                return f"triple {UNITS[int(rest[0])]}", 3
            return f"double {UNITS[int(rest[0])]}", 2
        if style == "pairs" and len(rest) > 1 and rest[0] != "0":
            return two_digits(int(rest[:2])), 2
        if style == "hundreds" and rest[1:3] == "00" and rest[0] != "0":
            return f"{UNITS[int(rest[0])]} hundred", 3
        return UNITS[int(rest[0])], 1

    def _perhaps_misheard(self, match: re.Match[str]) -> str:
        return _HEARD_AS[match.group()] if self.rng.random() < 0.012 else match.group()

    def random_digits(self, count: int, first: str = "0123456789") -> str:
        return self.rng.choice(first) + "".join(self.rng.choices("0123456789", k=count - 1))

    def card_digits(self) -> str:
        prefix, length = self.rng.choice([("4", 16), ("4", 16), ("51", 16), ("55", 16), ("37", 15)])
        body = prefix + "".join(self.rng.choices("0123456789", k=length - len(prefix) - 1))
        return next(body + check for check in "0123456789" if passes_luhn(body + check))

    def phone_digits(self) -> str:
        if self.rng.random() < 0.25:
            return "07" + self.random_digits(9)
        return self.random_digits(3, "23456789") + self.random_digits(7, "23456789")

    def card(self) -> str:
        return self.digits(self.card_digits())

    def phone(self) -> str:
        lead = self.rng.choices(["", "plus one ", "area code ", "plus four four "], [80, 7, 7, 6])[0]
        return lead + self.digits(self.phone_digits())

    def ssn(self) -> str:
        return self.digits(self.random_digits(9))

    def cvv(self) -> str:
        return self.digits(self.random_digits(self.rng.choice([3, 3, 3, 4])), clean=True)

    def pin(self) -> str:
        return self.digits(self.random_digits(self.rng.choice([4, 4, 6])), clean=True)

    def last_four(self) -> str:
        return self.digits(self.random_digits(4), clean=True)

    def account(self) -> str:
        return self.digits(self.random_digits(self.rng.choice([8, 8, 9, 10, 12])))

    def policy_number(self) -> str:
        letters = self.rng.choices("abcdefghjklmnprstuvwxyz", k=self.rng.choice([1, 2, 2, 3]))
        return (
            " ".join(letters) + " " + self.digits(self.random_digits(self.rng.choice([6, 7, 8])), clean=True)
        )

    def expiry(self) -> str:
        month, year = self.rng.randint(1, 12), self.rng.randint(26, 34)
        return self.rng.choice(
            [
                f"{_padded(month)} {two_digits(year)}",
                f"{MONTHS[month - 1]} twenty {two_digits(year)}",
                f"{_padded(month)} slash {two_digits(year)}",
                f"{month:02d}/{year}",
            ]
        )

    def birth(self) -> str:
        year, month, day = self.rng.randint(1936, 2007), self.rng.randint(1, 12), self.rng.randint(1, 28)
        name, of_day = MONTHS[month - 1], ordinal(day)
        return self.rng.choice(
            [
                f"{name} {of_day} {spoken_year(year)}",
                f"{name} the {of_day} {spoken_year(year)}",
                f"the {of_day} of {name} {spoken_year(year)}",
                f"{of_day} of {name} {spoken_year(year)}",
                f"{_padded(month)} {_padded(day)} {_padded(year % 100)}",
                f"{name} {two_digits(day)} {spoken_year(year)}",
                f"{day} {name} {year}",
                f"{name} {day}, {year}",
                f"{day:02d}/{month:02d}/{year}",
                f"{two_digits(month)} slash {two_digits(day)} slash {spoken_year(year)}",
            ]
        )

    # -- names and letters -----------------------------------------------------------------------------------
    def first(self) -> str:
        return self._misspelled(self._either(self.people.familiar_first, self.people.first))

    def last(self) -> str:
        return self._misspelled(self._either(self.people.familiar_last, self.people.last))

    def name(self) -> str:
        middle = self.rng.random()
        between = (
            f" {self.first()} "
            if middle < 0.05
            else f" {self.rng.choice('abcdefghjklmrstw')} "
            if middle < 0.08
            else " "
        )
        return self.first() + between + self.last()

    def spelled(self) -> str:
        word = re.sub("[^a-z]", "", self.rng.choice([self.first, self.last])())[:10]
        return self.spell(word)

    def spell(self, word: str) -> str:
        style = self.rng.choices(["plain", "as in", "nato", "double"], [55, 20, 12, 13])[0]
        if style == "nato":
            by_letter = {letter: code for code, letter in NATO.items()}
            return " ".join(by_letter[letter] for letter in word)
        if style == "double":
            return re.sub(r"(\w) \1\b", r"double \1", " ".join(word))
        link = self.rng.choice(["as in", "for"])
        example = 0.4 if style == "as in" else 0.0
        return " ".join(
            f"{letter} {link} {_EXAMPLES[ord(letter) - 97]}" if self.rng.random() < example else letter
            for letter in word
        )

    def email(self) -> str:
        first, last = (re.sub("[^a-z]", "", name) for name in (self.first(), self.last()))
        local = self.rng.choice(
            [
                f"{first} dot {last}",
                first + last,
                f"{first} {last}",
                f"{first[0]} {last}",
                f"{first} underscore {last}",
                f"{first} dot {last} {two_digits(self.rng.randint(10, 99))}",
                f"{first} {self.digits(self.random_digits(2), style='single', clean=True)}",
                " ".join(last),
                f"{last} dash {first}",
            ]
        )
        domain = self.rng.choice([*_DOMAINS, *_DOMAINS, re.sub("[^a-z]", "", self.last())])
        ending = (
            "dot com"
            if domain in _DOMAINS
            else self.rng.choice(["dot net", "dot org", "dot com", "dot co dot uk"])
        )
        if self.rng.random() < 0.15:
            return f"{first}.{last}@{domain}.com"
        return f"{local} at {domain} {ending}"

    def _either(self, familiar: tuple[str, ...], all_names: tuple[str, ...]) -> str:
        return self.rng.choice(familiar if self.rng.random() < 0.35 else all_names)

    def _misspelled(self, name: str) -> str:
        """Recognisers write rare names by ear."""
        if len(name) < 5 or self.rng.random() >= 0.06:
            return name
        at = self.rng.randrange(1, len(name) - 1)
        return name[:at] + self.rng.choice(["", name[at] * 2, self.rng.choice("aeiouy")]) + name[at + 1 :]

    # -- places ------------------------------------------------------------------------------------------------
    def house_number(self) -> str:
        number = self.rng.randint(1, 9999) if self.rng.random() < 0.5 else self.rng.randint(1, 199)
        if number < 100:
            return self.rng.choice([two_digits(number), str(number)])
        if number < 1000:
            hundreds, rest = divmod(number, 100)
            tail = "hundred" if not rest else f"oh {UNITS[rest]}" if rest < 10 else two_digits(rest)
            return self.rng.choice(
                [
                    f"{UNITS[hundreds]} {tail}",
                    self.digits(str(number), clean=True, style="single"),
                    str(number),
                ]
            )
        return self.rng.choice([self.digits(str(number), clean=True, style="pairs"), str(number)])

    def street(self) -> str:
        kind = self.rng.random()
        if kind < 0.5:
            name = self.last()
        elif kind < 0.75:
            name = self.rng.choice(places.STREETS[self.split])
        else:
            name = ordinal(self.rng.randint(1, 30))
        return f"{self.house_number()} {name} {self.rng.choice(_STREET_KINDS[self.split])}"

    def home(self) -> str:
        return self.town()

    def town(self) -> str:
        return self.rng.choice(places.TOWNS[self.split])

    def address(self) -> str:
        said = self.street()
        if self.rng.random() < 0.25:
            kind = self.rng.choice(["apartment", "apt", "unit", "suite", "flat"])
            said += (
                f" {kind} {self.rng.choice([two_digits(self.rng.randint(1, 30)), self.rng.choice('abcd')])}"
            )
        if self.rng.random() < 0.5:
            said += f" {self.town()}"
            if self.rng.random() < 0.5:
                said += " " + self.digits(self.random_digits(5), clean=True)
        return said

    def postcode(self) -> str:
        """A British postcode, or five digits, said character by character or as written."""
        if self.rng.random() < 0.25:
            return self.digits(self.random_digits(5), clean=True)
        letters = self.rng.choices("abcdefghjklmnprstuwy", k=4)
        area = "".join(letters[: self.rng.choice([1, 2])])
        code = f"{area}{self.rng.randint(1, 29)}{self.rng.randint(0, 9)}{letters[2]}{letters[3]}"
        if self.rng.random() < 0.2:
            return f"{code[:-3]} {code[-3:]}"
        by_letter = {letter: word for word, letter in NATO.items()}
        nato = self.rng.random() < 0.2
        numerals = self.rng.random() < 0.4
        return " ".join(
            (c if numerals else UNITS[int(c)]) if c.isdigit() else by_letter[c] if nato else c for c in code
        )

    # -- what is not personal -------------------------------------------------------------------------------------
    def amount(self) -> str:
        number = self.rng.randint(2, 4999)
        return self.rng.choice(
            [
                f"{cardinal(number)} dollars",
                f"{cardinal(number)} dollars and {two_digits(self.rng.randint(10, 99))} cents",
                f"{number} pounds",
                f"${number}",
                f"{cardinal(number)} euros",
            ]
        )

    def quantity(self) -> str:
        return two_digits(self.rng.randint(2, 24))

    def clock(self) -> str:
        hour = two_digits(self.rng.randint(1, 12))
        said = self.rng.choice(
            [hour, f"{hour} {self.rng.choice(['thirty', 'fifteen', 'forty five'])}", f"half past {hour}"]
        )
        return said + self.rng.choice([" p m", " a m", "", " in the morning"])

    def weekday(self) -> str:
        return self.rng.choice("monday tuesday wednesday thursday friday saturday sunday".split())

    def month(self) -> str:
        return self.rng.choice(MONTHS)

    def order(self) -> str:
        return self.digits(self.random_digits(self.rng.choice([4, 5, 6])), clean=True)

    def code(self) -> str:
        return self.digits(self.random_digits(self.rng.choice([3, 3, 4])), clean=True)

    def venue(self) -> str:
        """A restaurant, a shop or a place: its name may be somebody's."""
        head = self.rng.choice(
            [self.last(), self.first(), self.rng.choice(places.STREETS[self.split]), self.town()]
        )
        kind = self.rng.choice(places.VENUES)
        return self.rng.choice(
            [
                f"{head} {kind}",
                f"{head}'s",
                f"{head}'s {kind}",
                f"the {head}",
                f"le {head}",
                f"{head} {self.last()}",
                head,
            ]
        )

    def relation(self) -> str:
        return self.rng.choice(places.RELATIONS)

    def deed(self) -> str:
        return self.rng.choice(places.DEEDS)

    def thing(self) -> str:
        return self.rng.choice(places.THINGS)

    def brand(self) -> str:
        return self.rng.choice(places.BRANDS[self.split])


def two_digits(number: int) -> str:
    """0 to 99 in words."""
    if number < 20:
        return UNITS[number] if number < 10 else TEENS[number - 10]
    tens, unit = divmod(number, 10)
    return TENS[tens] + (f" {UNITS[unit]}" if unit else "")


def cardinal(number: int) -> str:
    """0 to 9,999 in words."""
    if number < 100:
        return two_digits(number)
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{UNITS[hundreds]} hundred" + (f" {two_digits(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    return f"{two_digits(thousands)} thousand" + (f" {cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """1 to 39 as an ordinal in words."""
    if number <= 20:
        return ORDINALS[number]
    if number == 30:
        return "thirtieth"
    return f"{TENS[number // 10]} {ORDINALS[number % 10]}"


def spoken_year(year: int) -> str:
    """``nineteen eighty five``, ``two thousand six``."""
    century, rest = divmod(year, 100)
    if 2000 <= year < 2010:
        return "two thousand" + (f" {UNITS[rest]}" if rest else "")
    return f"{two_digits(century)} " + (
        two_digits(rest) if rest > 9 else f"oh {UNITS[rest]}" if rest else "hundred"
    )


def _padded(number: int) -> str:
    return two_digits(number) if number > 9 else f"oh {UNITS[number]}"

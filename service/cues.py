"""Cues in what a caller says that the policy may ask about: plain phrases, cheap enough for every turn."""

from __future__ import annotations

import re

_HUMAN = re.compile(
    r"\b(?:(?:real|actual|living) (?:person|human|agent)|human(?: being)?|supervisor|manager|representative"
    r"|(?:talk|speak|transfer me|put me through|connect me) (?:to|with) (?:an? |the |your |some)?"
    r"(?:person|human|agent|someone|somebody|colleague|operator)"
    r"|(?:not?|don't|do not|won't) (?:want to )?(?:talk(?:ing)?|speak(?:ing)?) (?:to|with) "
    r"(?:a |an |this |your )?(?:machine|robot|computer|bot|recording))\b",
    re.IGNORECASE,
)
_REPEAT = re.compile(
    r"\b(?:i(?: have|'ve)? already (?:told|said|gave|explained|checked)|as i said|like i said|i (?:just )?told you"
    r"|(?:keep|stop) (?:saying|reading|repeating|asking)|(?:second|third|fourth|fifth) time|(?:once )?again)\b",
    re.IGNORECASE,
)


def asks_for_human(text: str) -> bool:
    """Whether the caller asks for a person."""
    return _HUMAN.search(text) is not None


def repeats_themselves(text: str) -> bool:
    """Whether the caller says that they had to say this before."""
    return _REPEAT.search(text) is not None

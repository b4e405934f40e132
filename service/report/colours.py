"""Which colour class an engine or a wait is drawn in.

The classes' colours (in ``style.css.j2``) start from Okabe & Ito's set, which readers with a colour vision
deficiency tell apart; every coloured thing is also labelled. Known engines keep their class in every report.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.latency import STAGES

_KNOWN = {"fast": 0, "tool": 1, "standard": 2, "realtime": 3, "half_cascade": 4}
_ENGINE_CLASSES = 8
_WAIT_CLASSES = 10


def engine_classes(engines: Iterable[str]) -> dict[str, str]:
    """``{"fast": "e0", …}``: unknown engines get the classes left over, in the order they appear."""
    others = [name for name in dict.fromkeys(engines) if name not in _KNOWN]
    left = _ENGINE_CLASSES - len(_KNOWN)
    classes = {name: f"e{number}" for name, number in _KNOWN.items()}
    return classes | {name: f"e{len(_KNOWN) + index % left}" for index, name in enumerate(others)}


def wait_classes(waits: Iterable[str]) -> dict[str, str]:
    """The class of each of ``waits``, in the order of a turn; its usual stages look the same in every call."""
    present = dict.fromkeys(waits)
    others = (name for name in present if name not in STAGES)
    classes = {name: f"w{index % _WAIT_CLASSES}" for index, name in enumerate((*STAGES, *others))}
    return {name: colour for name, colour in classes.items() if name in present}

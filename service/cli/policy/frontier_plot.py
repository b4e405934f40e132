"""The frontier as a drawing: quality against dollars, and how much better the policy is than each contender.

An SVG by a template, like the report's drawings: no plotting library is needed for a dozen circles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from router.whatif.frontier import Kind, Standing

_TEMPLATE = "frontier.svg.j2"
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 590.0, 96.0, 500.0
"""The scatter's edges, in the drawing's units."""
_FOREST_LEFT, _FOREST_RIGHT = 800.0, 1080.0
_ROW = 30.0
_LINE = 13.0
_COLOURS = {"fast": "#0072b2", "tool": "#e69f00", "standard": "#009e73", "realtime": "#cc79a7"}
"""As in the report: Okabe and Ito's."""
_SUBJECT, _POLICY, _ORACLE, _OTHER = "#16202c", "#8c6d46", "#7f7f7f", "#56b4e9"
_QUALITY_SHOWN = 0.14
"""A contender whose quality is further below the best is drawn at the lower edge, with its figure."""
_LEAD_SHOWN = 0.03
"""A lead beyond this is drawn as an arrow; its figure stands beside it."""
_LETTER = 6.0  # its width


@dataclass(frozen=True, slots=True)
class _Circle:
    x: float
    y: float
    r: float
    colour: str
    hollow: bool
    below: bool
    """Drawn at the lower edge."""
    label: str
    note: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class _Bar:
    y: float
    name: str
    colour: str
    x: float
    low: float
    high: float
    beyond: int
    """-1 or 1: the lead lies beyond the left or right edge; 0: it does not."""
    text: str


@dataclass(frozen=True, slots=True)
class _Tick:
    at: float
    text: str


def plot(standings: Sequence[Standing], basis: str) -> str:
    """The drawing as SVG. The first of ``standings`` is the policy that is judged; ``basis`` says on what."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    costs = _nice([one.usd.value for one in standings])
    best = max(one.quality.value for one in standings)
    qualities = _nice([q for one in standings if (q := one.quality.value) > best - _QUALITY_SHOWN])
    leads = sorted((one for one in standings[1:]), key=lambda one: one.lead.value if one.lead else 0.0)
    edge = _edge(leads)
    return environment.get_template(_TEMPLATE).render(
        basis=basis,
        subject=standings[0].name,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        costs=[_Tick(_x(usd, costs), f"{usd:.3f}") for usd in costs],
        qualities=[_Tick(_y(quality, qualities), f"{quality:.2f}") for quality in qualities],
        circles=list(_circles(standings, costs, qualities)),
        sizes=[(ms, _radius(ms)) for ms in (1000, 2000)],
        forest_left=_FOREST_LEFT,
        forest_right=_FOREST_RIGHT,
        forest_bottom=_TOP + _ROW * len(leads),
        leads=[_Tick(_lead_x(lead, edge), f"{lead:+.2f}" if lead else "0") for lead in (-edge, 0.0, edge)],
        bars=[_bar(one, number, edge) for number, one in enumerate(leads)],
    )


def _circles(
    standings: Sequence[Standing], costs: Sequence[float], qualities: Sequence[float]
) -> Iterator[_Circle]:
    """The circles with labels that do not lie on one another; the policy that is judged comes first."""

    def at(one: Standing) -> tuple[float, float, float]:
        below = one.quality.value < qualities[0]
        y = _BOTTOM if below else _y(one.quality.value, qualities)
        return _x(one.usd.value, costs), y, _radius(one.heard_p95_ms)

    taken = [(x - r, x + r, y - r, y + r) for x, y, r in map(at, standings)]
    for number, one in enumerate(standings):
        x, y, r = at(one)
        below = one.quality.value < qualities[0]
        note = f"U {one.utility.value:.3f} · P95 {one.heard_p95_ms / 1000:.1f} s"
        note += f" · quality {one.quality.value:.2f}" if below else ""
        width = _LETTER * max(len(one.name), len(note))
        on_left = x + r + 8 + width > _RIGHT + 40
        label_x = x - r - 8 if on_left else x + r + 8
        begins = label_x - width if on_left else label_x
        label_y = _free(y, begins, width, taken)
        taken.append(_box(begins, width, label_y))
        yield _Circle(
            x, y, r, _colour(one, is_subject=number == 0), one.kind is Kind.ORACLE, below,
            one.name, note, label_x, label_y, "end" if on_left else "start",
        )  # fmt: skip


_Box = tuple[float, float, float, float]


def _box(begins: float, width: float, y: float) -> _Box:
    """The box of a label of two lines at ``y``: left, right, top, bottom."""
    return begins, begins + width, y - _LINE, y + 1.2 * _LINE


def _free(y: float, begins: float, width: float, taken: Sequence[_Box]) -> float:
    """The place nearest to ``y`` at which a label lies on nothing that is there already."""

    def clashes(at: float) -> bool:
        left, right, top, bottom = _box(begins, width, at)
        return any(left < r and right > l and top < b and bottom > t for l, r, t, b in taken)  # noqa: E741

    steps = (y + sign * step * _LINE / 3 for step in range(90) for sign in (1, -1))
    return next((at for at in steps if _TOP <= at <= _BOTTOM - _LINE and not clashes(at)), y)


def _bar(one: Standing, number: int, edge: float) -> _Bar:
    lead = one.lead
    if lead is None:
        raise ValueError(f"{one.name} has no lead: only the policy that is judged has none")
    low, high = (
        lead.low if lead.low is not None else lead.value,
        lead.high if lead.high is not None else lead.value,
    )
    beyond = 1 if lead.value > edge else -1 if lead.value < -edge else 0
    return _Bar(
        y=_TOP + _ROW * (number + 0.5),
        name=one.name,
        colour=_colour(one),
        x=_lead_x(lead.value, edge),
        low=_lead_x(low, edge),
        high=_lead_x(high, edge),
        beyond=beyond,
        text=f"{lead.value:+.4f}" if beyond else f"{lead.value:+.4f} ({low:+.4f} to {high:+.4f})",
    )


def _colour(one: Standing, *, is_subject: bool = False) -> str:
    if is_subject:
        return _SUBJECT
    if one.kind is Kind.ORACLE:
        return _ORACLE
    if one.kind is Kind.POLICY:
        return _POLICY
    return next((colour for engine, colour in _COLOURS.items() if engine in one.name.split()), _OTHER)


# -- scales ---------------------------------------------------------------------------------------------------
def _nice(values: Sequence[float]) -> list[float]:
    """Round ticks from below the least value to above the largest."""
    low, high = min(values), max(values)
    rough = max(high - low, 1e-6) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * each for each in (1, 2, 5, 10) if unit * each >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _x(usd: float, ticks: Sequence[float]) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (usd - ticks[0]) / (ticks[-1] - ticks[0])


def _y(quality: float, ticks: Sequence[float]) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * (quality - ticks[0]) / (ticks[-1] - ticks[0])


def _radius(ms: float) -> float:
    """Its area is in proportion to the wait."""
    return 9.0 * math.sqrt(ms / 1000)


def _edge(standings: Sequence[Standing]) -> float:
    """How far the axis of leads goes to either side."""
    bounds = [
        abs(b) for one in standings if one.lead for b in (one.lead.low, one.lead.value, one.lead.high) if b
    ]
    shown = [bound for bound in bounds if bound <= _LEAD_SHOWN]
    return math.ceil(100 * max(shown, default=_LEAD_SHOWN)) / 100


def _lead_x(lead: float, edge: float) -> float:
    within = min(max(lead, -edge), edge)
    return (_FOREST_LEFT + _FOREST_RIGHT) / 2 + (_FOREST_RIGHT - _FOREST_LEFT) / 2 * within / edge

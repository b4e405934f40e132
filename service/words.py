"""Figures in words: how times, money and conditions are written wherever people read them."""

from __future__ import annotations

from service.summary import CallSummary, TurnSummary

SIMULATED_NOTE = "the lab stands in for these providers: replies, voices and delays are not the vendor's"


def clock(ms: float) -> str:
    """A position in a call: ``1:04.2`` is one minute and 4.2 seconds."""
    minutes, seconds = divmod(ms / 1000, 60)
    whole, tenth = divmod(round(seconds * 10), 10)
    return f"{int(minutes) + whole // 60}:{whole % 60:02d}.{tenth}"


def length(ms: float) -> str:
    """A duration to the second, such as ``1:04``."""
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes}:{seconds:02d}"


def milliseconds(ms: float | None) -> str:
    return "–" if ms is None else f"{ms:,.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def dollars(usd: float) -> str:
    """Money with enough places to see what a turn costs."""
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def quantity(name: str, value: float) -> str:
    """``input_text_tokens``, 310 → ``310 input text tokens``."""
    return f"{value:,.1f} {name.replace('_', ' ')}" if value % 1 else f"{value:,.0f} {name.replace('_', ' ')}"


def count(number: int, one: str, many: str = "") -> str:
    """``1 hand-off``, ``2 hand-offs``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def policy(summary: CallSummary) -> str:
    """Which policy routed a call: ``default v3, tenant acme``."""
    version = f" v{summary.policy_version}" if summary.policy_version else ""
    tenant = f", tenant {summary.tenant}" if summary.tenant else ""
    return f"{summary.policy}{version}{tenant}"


def asides(turn: TurnSummary) -> tuple[str, ...]:
    """What a decision says beside its rule and reason; of shadow rules only those that would choose otherwise."""
    said = [f"arm {arm} of {experiment}" for experiment, arm in turn.arms]
    said += [f"shadow {rule}: {engine}" for rule, engine in turn.shadow if engine != turn.route]
    if turn.endpointing_ms is not None:
        said.append(f"waits for {milliseconds(turn.endpointing_ms)} of silence")
    return tuple(said)


def notes(turn: TurnSummary) -> tuple[str, ...]:
    """What was unusual about a turn, the gravest first."""
    said = [f"{failure.provider} failed ({failure.error}): {failure.action}" for failure in turn.failures]
    if turn.interrupted:
        said.append("caller cut in")
    for hand_off in turn.hand_offs:
        how = [", warm"] if hand_off.warm else []
        how += [", turn heard as audio"] if hand_off.turn_as_audio else []
        said.append(f"from {hand_off.from_engine} in {hand_off.took_ms:.1f} ms{''.join(how)}")
    said += [
        f"tool {tool.name} {milliseconds(tool.took_ms)}{', failed' if tool.failed else ''}"
        for tool in turn.tools
    ]
    if turn.previews_used:
        said.append("preview used")
    if turn.previews_discarded:
        said.append("preview discarded")
    return tuple(said)

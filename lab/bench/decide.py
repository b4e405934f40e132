"""What a routing decision costs beyond the CEL evaluation that it cannot do without.

``python -m lab.bench.decide [RULES]`` builds a policy of that many rules (50) over 30 signals of which only the
last rule matches, and times, in pairs within one run, a whole decision and a bare evaluation of the same
conditions as one fused expression. The ratio travels between machines; the microseconds are this machine's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from cel_expr_python import cel  # type: ignore[import-untyped]  # stubs without a py.typed marker

from router import Memory, Policy, Signals
from router.signals import CATALOGUE, Kind

_TYPES = {
    Kind.BOOL: cel.Type.BOOL,
    Kind.INT: cel.Type.INT,
    Kind.DOUBLE: cel.Type.DOUBLE,
    Kind.ENUM: cel.Type.STRING,
    Kind.TEXT: cel.Type.STRING,
}


def conditions(count: int) -> list[str]:
    """Conditions that read different signals and are all false for a calm caller's second turn."""
    shapes = (
        "turn.count > 40 && turn.chars < {n}",
        "emotion.upset > 0.9 && emotion.confidence > 0.{n}",
        'emotion.label in ["upset", "frustrated"] && turn.words > {n}',
        'call.transport == "sip" && call.codec_hz <= 8000 && turn.count > {n}',
        'caller.region in ["eu", "ch"] && cost.usd > {n}.0',
        "call.tool_failures > {n} || call.repeats > {n}",
        "provider.tool_p95_ms > {n}000 || !provider.tool_healthy",
        'call.queue == "queue-{n}" && time.hour >= 18',
    )
    return [shapes[index % len(shapes)].format(n=10 + index) for index in range(count)]


def policy_of(whens: list[str]) -> str:
    """A policy with one rule per condition, two guards, a smoothed signal and a default rule."""
    rules = "".join(
        f"  - {{id: r{i}, when: '{when}', route: tool, because: so}}\n" for i, when in enumerate(whens)
    )
    return (
        "policy: {name: bench, version: 1}\n"
        "derived: {upset: {from: emotion.upset, ewma: 0.6}}\n"
        "engines: {fast: {}, tool: {}, standard: {}, realtime: {min_turns: 2}}\n"
        "guards:\n"
        "  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: so}\n"
        "  - {id: budget, when: cost.usd >= cost.budget_usd, deny: [realtime], because: so}\n"
        f"rules:\n{rules}  - {{id: otherwise, when: true, route: standard, because: so}}\n"
    )


LIMIT_US = 200.0


def _percentiles(samples: list[int]) -> tuple[float, float]:
    ordered = sorted(samples)
    return ordered[len(ordered) // 2] / 1000, ordered[int(len(ordered) * 0.99)] / 1000


def main(arguments: Sequence[str] = ()) -> int:
    """Print load time, p50 and p99 of both in microseconds, and their ratios; returns 1 over the limit.

    Args:
        arguments: how many rules (50), and how many decisions (20,000).
    """
    rules, rounds = (*(int(argument) for argument in arguments), *(50, 20_000)[len(arguments) :])
    whens = conditions(rules)
    text = policy_of(whens)
    begun = time.perf_counter_ns()
    policy = Policy.parse(text)
    loaded_ms = (time.perf_counter_ns() - begun) / 1e6
    environment = cel.NewEnv(variables={name: _TYPES[spec.kind] for name, spec in CATALOGUE.items()})
    bare = environment.compile("[" + ", ".join(whens) + "]")
    signals = Signals({"turn.count": 2, "turn.chars": 31, "turn.words": 6, "emotion.label": "calm"})
    values = signals.as_dict()
    memory = policy.decide(signals, Memory.start("bench"))[1]
    whole: list[int] = []
    floor: list[int] = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        bare.eval(data=values).plain_value()
        middle = time.perf_counter_ns()
        policy.decide(signals, memory)
        floor.append(middle - start)
        whole.append(time.perf_counter_ns() - middle)
    (bare_p50, bare_p99), (p50, p99) = _percentiles(floor), _percentiles(whole)
    print(f"{rules} rules, {len(CATALOGUE)} signals, {rounds} decisions; load {loaded_ms:.1f} ms")
    print(f"decision      p50 {p50:7.1f} µs   p99 {p99:7.1f} µs")
    print(f"bare CEL      p50 {bare_p50:7.1f} µs   p99 {bare_p99:7.1f} µs")
    print(f"ratio         p50 {p50 / bare_p50:7.2f}      p99 {p99 / bare_p99:7.2f}")
    print(f"P99 is {'within' if p99 <= LIMIT_US else 'OVER'} the limit of {LIMIT_US:g} µs")
    return 0 if p99 <= LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

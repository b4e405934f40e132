"""Policies of any size, drawn at random but the same for the same seed: what lint is timed and tried on."""

from __future__ import annotations

import random

ENGINES = ("fast", "tool", "standard", "realtime")
_SHARES = ("upset", "emotion.upset", "errand", "turn.tool_p", "emotion.confidence")
_COUNTS = {
    "turn.count": (1, 12),
    "turn.chars": (0, 200),
    "turn.words": (0, 40),
    "turn.digits": (0, 16),
    "call.tool_failures": (0, 4),
    "call.repeats": (0, 4),
    "call.corrections": (0, 4),
    "call.duration_ms": (0, 600_000),
    "call.silence_ms": (0, 20_000),
    "time.hour": (0, 23),
    "time.weekday": (1, 7),
    "provider.realtime_p95_ms": (200, 6_000),
    "provider.tool_p95_ms": (200, 6_000),
}
_FLAGS = (
    "turn.needs_tools",
    "turn.ends_in_digits",
    "caller.consent_voice_ai",
    "caller.consent_emotion",
    "provider.tool_healthy",
    "provider.realtime_healthy",
)
_CHOICES = {
    "emotion.label": ("calm", "upset", "frustrated", "unknown"),
    "caller.region": ("eu", "ch", "us", "uk", "other"),
    "call.transport": ("in_process", "webrtc", "sip"),
    "call.queue": ("vip", "billing", "orders", "returns"),
    "call.language": ("en", "de", "fr", "it"),
}
_UNUSUAL = (
    "10 / turn.words > 2",
    "turn.chars % 7 == 3",
    "size(call.queue) > 3",
    'call.queue.startsWith("v")',
    'call.queue.matches("^[bo]")',
    "double(turn.count) * 0.1 > emotion.upset",
    "emotion.upset + turn.tool_p > 1.1",
    'string(turn.count) == "3"',
    "(turn.needs_tools ? turn.words > 3 : turn.words < 2)",
    "int(emotion.confidence * 10.0) in [1, 4, 9]",
    "turn.needs_tools == caller.consent_emotion",
)
_PARAMS = ("p.low", "p.high", "p.certain")


class Drawn:
    """Draws conditions and the policy around them; of ``few`` signals and thresholds, rules get in each other's way."""

    def __init__(self, seed: int, *, few: bool = False) -> None:
        self._few = few
        self._chance = random.Random(seed)  # noqa: S311 - the same policies each time, no secrets

    def policy(self, rules: int, *, tenants: int = 0) -> str:
        """The text of a policy with six guards, that many rules before the last, and one of everything else."""
        chance = self._chance
        lines = [
            f"policy: {{name: drawn, version: {rules}}}",
            "params:",
            "  low: {value: 0.3, min: 0.1, max: 0.5}",
            "  high: {value: 0.6, min: 0.4, max: 0.9}",
            "  certain: {value: 0.8, min: 0.6, max: 1.0}",
            "derived:",
            '  upset: {from: emotion.upset, only_if: emotion.label != "unknown", ewma: 0.6, noise: 0.1}',
            "  errand: {from: turn.tool_p, ewma: 0.5, noise: 0.04}",
            "engines:",
            "  fast: {fallback: [standard]}",
            "  tool: {fallback: [standard]}",
            "  standard: {fallback: [fast]}",
            "  realtime: {fallback: [tool, standard], min_turns: 2}",
            "last_resort: standard",
            "guards:",
            "  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: consent}",
            "  - {id: budget, when: cost.usd >= cost.budget_usd, deny: [realtime, tool], because: cost}",
            "  - {id: asked, when: call.asked_human, force: standard, because: asked}",
        ]
        for number in range(3):
            deny = chance.choice(["fast", "tool", "realtime"])
            lines.append(f"  - {{id: g{number}, when: '{self.condition()}', deny: [{deny}], because: drawn}}")
        lines.append("rules:")
        lines += [f"  - {{id: r{number}, {self._rule()}}}" for number in range(rules)]
        lines.append("  - {id: otherwise, when: true, route: standard, because: nothing else}")
        lines += [
            "shadow:",
            f"  - {{id: tried, replaces: r0, {self._rule()}}}",
            "experiments:",
            "  - {id: split, rule: r1, arms: {control: 50, other: {weight: 50, route: tool}}, because: drawn}",
            "never:",
            "  - {id: voice, route: realtime, when: '!caller.consent_voice_ai', because: consent}",
            "  - {id: asked-and-fast, route: fast, when: call.asked_human, because: asked}",
            f"  - {{id: maybe, route: tool, when: '{self.condition()}', because: drawn}}",
        ]
        if tenants:
            lines.append("overlays:")
        lines += [f"  t{number}: {{params: {{high: 0.{4 + number % 5}}}}}" for number in range(tenants)]
        return "\n".join(lines) + "\n"

    def condition(self, depth: int = 2) -> str:
        """A condition of one to four comparisons."""
        chance = self._chance
        if depth and chance.random() < 0.6:
            joint = chance.choice(["&&", "&&", "||"])
            return f"({self.condition(depth - 1)} {joint} {self.condition(depth - 1)})"
        kind = chance.random()
        if kind < 0.08:
            return chance.choice(_UNUSUAL)
        if kind < 0.3:
            side = chance.choice(_PARAMS) if chance.random() < 0.4 else f"{self._number(1, 19) / 20}"
            return f"{self._one_of(_SHARES)} {chance.choice(['>=', '<', '>', '<='])} {side}"
        if kind < 0.65:
            name = self._one_of(tuple(_COUNTS))
            side = self._number(*_COUNTS[name])
            return f"{name} {chance.choice(['>=', '<', '>', '<=', '=='])} {side}"
        if kind < 0.8:
            return chance.choice(["", "!"]) + self._one_of(_FLAGS)
        name = self._one_of(tuple(_CHOICES))
        choices = _CHOICES[name]
        if chance.random() < 0.5:
            return f'{name} == "{chance.choice(choices)}"'
        listed = ", ".join(f'"{choice}"' for choice in chance.sample(choices, 2))
        return f"{name} in [{listed}]"

    def _one_of(self, names: tuple[str, ...]) -> str:
        return self._chance.choice(names[:2] if self._few else names)

    def _number(self, low: int, high: int) -> int:
        return self._chance.choice([low, (low + high) // 2]) if self._few else self._chance.randint(low, high)

    def _rule(self) -> str:
        chance = self._chance
        parts = [f"when: '{self.condition()}'", f"route: {chance.choice(ENGINES)}", "because: drawn"]
        if chance.random() < 0.2:
            parts.append(f"hold: '{self.condition()}'")
        if chance.random() < 0.2:
            parts.append(f"else_route: {chance.choice(ENGINES)}")
        if chance.random() < 0.1:
            parts.append("schedule: {days: mon-fri, from: '18:00', to: '22:00', tz: Europe/Berlin}")
        if chance.random() < 0.1:
            parts.append(f"rollout: {{percent: {chance.randint(1, 99)}}}")
        return ", ".join(parts)

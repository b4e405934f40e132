"""Which rule chooses: the first that matches, that exists for this call at this hour, and whose engine is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from router.conditions import Failed
from router.content import Content, Rule
from router.gates import BY_CALL, pick, share
from router.turn import Choice, Slot, Trace, Turn


class Chooser:
    """Asks a policy's rules, with the gates and experiments on them."""

    def __init__(self, content: Content) -> None:
        self._salt = content.salt
        self._experiments = {experiment.rule: experiment for experiment in content.experiments}

    def choose(self, rules: Sequence[Slot], turn: Turn, trace: Trace) -> Choice:
        """The first rule that matches, or still holds, and has an engine that is allowed.

        Where guards deny the engine of every such rule, the last rule's choice, denied as it is.
        """
        denied, outcomes, before = turn.denied, turn.outcomes, turn.memory.rule
        for slot in rules:
            rule, outcome = slot.rule, outcomes[slot.when]
            if isinstance(outcome, Failed):
                trace.failed(rule.id, outcome, counts_as="false")
                continue
            held = outcome is not True and (
                slot.hold is not None and before == rule.id and outcomes[slot.hold] is True
            )
            if outcome is not True and not held:
                trace.note(rule.id, "no")
                continue
            if closed := self._closed(rule, turn):
                trace.note(rule.id, closed)
                continue
            choice = self._chosen(rule, held, turn)
            if choice.engine not in denied:
                trace.note(rule.id, f"{'held' if held else 'matched'}: {choice.engine}")
                return choice
            by = denied[choice.engine]
            if rule.else_route and rule.else_route not in denied:
                trace.note(rule.id, f"{choice.engine} denied by {by}, instead {rule.else_route}")
                reason = f"{choice.reason}; {choice.engine} is denied by {by}"
                return replace(choice, engine=rule.else_route, reason=reason)
            trace.note(rule.id, f"{choice.engine} denied by {by}")
        last = rules[-1].rule
        return Choice(last.id, last.route, last.because, last.endpointing_ms)

    def _closed(self, rule: Rule, turn: Turn) -> str | None:
        """Why a rule does not exist for this call at this hour, if it does not."""
        facts = turn.view.facts
        if rule.schedule is not None and not rule.schedule.covers(int(facts["time.unix_s"])):
            return "outside its hours"
        if (rollout := rule.rollout) is not None:
            key = self._key(rollout.by, turn)
            if not rollout.includes(self._salt, rule.id, key):
                return f"not in its rollout to {rollout.percent:g} %"
        return None

    def _key(self, by: str, turn: Turn) -> str:
        return turn.memory.call_id if by == BY_CALL else str(turn.view.facts[by])

    def _chosen(self, rule: Rule, held: bool, turn: Turn) -> Choice:
        """What a rule chooses, and the arm of the experiment on it, if any."""
        reason = rule.because
        if held and rule.hold:
            reason += f" (held: {rule.hold.source})"
        choice = Choice(rule.id, rule.route, reason, rule.endpointing_ms)
        experiment = self._experiments.get(rule.id)
        if experiment is None:
            return choice
        now_s, key = int(turn.view.facts["time.unix_s"]), self._key(experiment.by, turn)
        over = experiment.until is not None and (
            now_s <= 0 or datetime.fromtimestamp(now_s, UTC).date() > experiment.until
        )
        if over or not key:
            return choice
        at = share(self._salt, experiment.id, key)
        arm = experiment.arms[pick([each.weight for each in experiment.arms], at)]
        choice = replace(choice, arms={experiment.id: arm.name})
        if arm.route is None or arm.route in turn.denied:
            return choice
        return replace(choice, engine=arm.route, reason=f"{reason} (arm {arm.name} of {experiment.id})")

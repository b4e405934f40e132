"""A decision as terms of the solver: what :meth:`router.Policy.decide` answers when nothing sticks.

Guards, rules, arms of experiments and fallbacks from unhealthy engines are in it. Holds, dwell, cooldown and the
switch budget are not: it is the decision of a memory in which no engine is in charge yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import z3

from router.conditions import Condition
from router.content import Content, Experiment, Never, Rule
from router.lint.terms import Terms
from router.lint.truth import ALWAYS, FALSE, Term, Truth, all_of, any_of, every, opposite, some
from router.signals import healthy


class Symbolic:
    """One decision, over the variables of ``terms``; with ``enforced`` false, properties deny nothing."""

    def __init__(self, content: Content, terms: Terms, *, enforced: bool = True) -> None:
        self.content = content
        self.terms = terms
        self.gates: list[tuple[Rule, Term]] = []
        """Whether the schedule and rollout of a rule are open."""
        self.arms: list[tuple[Experiment, Term]] = []
        """The index of the arm that the call is in."""
        for condition in _decisive(content):
            terms.condition(condition)  # all that will be asked about is known from the start
        self.guards = {guard.id: terms.condition(guard.when).failing_is_true for guard in content.guards}
        self.denied = self._denials(content.never if enforced else ())
        self.forced = dict(self._forced())
        """When a guard is the first that forces, by its id."""
        self.unforced = all_of(~truth for truth in self.forced.values())
        self._experiments = {experiment.rule: experiment for experiment in content.experiments}
        self.served = self.by(content.rules)

    @staticmethod
    def either(terms: Iterable[Term]) -> Term:
        """When at least one of them holds."""
        return some(terms)

    @staticmethod
    def apart(first: Mapping[str, Term], second: Mapping[str, Term]) -> Term:
        """When two decisions end with different engines."""
        return some(
            every([when, other])
            for engine, when in first.items()
            for name, other in second.items()
            if name != engine
        )

    def engines(self, targets: Sequence[tuple[str, Truth]]) -> Mapping[str, Term]:
        """When each engine is chosen, of the :meth:`targets` of a rule."""
        return {
            engine: some(truth.yes for name, truth in targets if name == engine)
            for engine in self.content.engines
        }

    @staticmethod
    def unlike(ways: Sequence[Mapping[str, Term]]) -> Iterator[Term]:
        """For each way and engine, when that way chooses the engine and the first way does not."""
        for way in ways[1:]:
            for engine, term in way.items():
                yield every([term, opposite(ways[0][engine])])
                yield every([opposite(term), ways[0][engine]])

    def chooses(self, name: str) -> Term:
        """When a rule, or a guard that forces, puts the engine in charge."""
        return self.forced[name].yes if name in self.forced else self.served.rule[name]

    def by(self, rules: Sequence[Rule]) -> Chosen:
        """The decision with these rules instead."""
        return Chosen(self, rules)

    def when(self, rule: Rule) -> Truth:
        """Whether the rule's condition is true and it exists for the call at this hour."""
        matches = self.terms.condition(rule.when).failing_is_false
        return all_of([matches, self.gate(rule)])

    def gate(self, rule: Rule) -> Truth:
        """Whether the rule exists: the same for rules of the same id, schedule and rollout."""
        if not rule.gated:
            return ALWAYS
        for other, gate in self.gates:
            if (other.id, other.schedule, other.rollout) == (rule.id, rule.schedule, rule.rollout):
                return Truth.of(gate)
        self.gates.append((rule, z3.Bool(f"gate {len(self.gates)} of {rule.id}")))
        return Truth.of(self.gates[-1][1])

    def allowed(self, engine: str) -> Truth:
        return ~self.denied[engine]

    def targets(self, rule: Rule, arm: int | None = None) -> list[tuple[str, Truth]]:
        """The engines that a matching rule may choose, and when; nothing of it holds when none is allowed.

        Args:
            rule: the rule.
            arm: the arm in which the call is taken to be, when the rule is in an experiment; by default any.
        """
        found: list[tuple[str, Truth]] = []
        left = ALWAYS
        ways = list(self._ways(rule, arm))
        for engine, chosen in ways:
            found.append((engine, all_of([left, chosen, self.allowed(engine)])))
            left = all_of([left, ~all_of([chosen, self.allowed(engine)])])
        return found

    def _ways(self, rule: Rule, arm: int | None) -> Iterator[tuple[str, Truth]]:
        """In the order tried: the call's arm, the rule's own engine, and what it takes when that is denied."""
        experiment = self._experiments.get(rule.id)
        for index, each in enumerate(experiment.arms if experiment else ()):
            if experiment and each.route is not None and each.weight > 0 and arm in (None, index):
                yield each.route, self._arm(experiment, index) if arm is None else ALWAYS
        yield rule.route, ALWAYS
        if rule.else_route:
            yield rule.else_route, ALWAYS

    def _arm(self, experiment: Experiment, index: int) -> Truth:
        arm = next((arm for other, arm in self.arms if other is experiment), None)
        if arm is None:
            arm = z3.Int(f"arm of {experiment.id}")
            self.arms.append((experiment, arm))
        return Truth.of(arm == index)

    def _denials(self, properties: Sequence[Never]) -> dict[str, Truth]:
        reasons: dict[str, list[Truth]] = {engine: [] for engine in self.content.engines}
        for guard in self.content.guards:
            for engine in guard.deny:
                reasons[engine].append(self.guards[guard.id])
        for each in properties:
            for engine in each.routes:
                reasons[engine].append(self.terms.condition(each.when).failing_is_true)
        return {engine: any_of(truths) for engine, truths in reasons.items()}

    def _forced(self) -> Iterator[tuple[str, Truth]]:
        before = ALWAYS
        for guard in self.content.guards:
            if guard.force:
                yield guard.id, all_of([before, self.guards[guard.id]])
                before = all_of([before, ~self.guards[guard.id]])

    def instead(self, engine: str) -> list[str]:
        """What is tried, in order, when ``engine`` cannot answer; ends with the last resort."""
        order: list[str] = []
        queue = list(self.content.engines[engine].fallback)
        while queue:
            name = queue.pop(0)
            if name != engine and name not in order:
                order.append(name)
                queue += self.content.engines[name].fallback
        last = self.content.last_resort
        return order if last in (engine, *order) else [*order, last]


class Chosen:
    """Which rule and which engine a decision ends with, for one list of rules.

    Only what is true is stated: when a rule chooses, when an engine answers. What is false is that another does.
    """

    def __init__(self, decision: Symbolic, rules: Sequence[Rule]) -> None:
        self._decision = decision
        self.matches: dict[str, Truth] = {}
        """Whether a rule's condition is true, it exists, and an engine of it is allowed; by its id."""
        self.reached: dict[str, Truth] = {}
        """Whether neither a guard forces nor an earlier rule matches; by the rule's id."""
        self.rule: dict[str, Term] = {}
        """When a rule chooses, by its id."""
        choices: dict[str, list[Term]] = {engine: [] for engine in decision.content.engines}
        for guard in decision.content.guards:
            if guard.force:
                self._allowed(choices, guard.force, decision.forced[guard.id].yes)
        left = decision.unforced
        for rule in rules:
            when, targets = decision.when(rule), decision.targets(rule)
            self.matches[rule.id] = all_of([when, any_of(truth for _, truth in targets)])
            self.reached[rule.id] = left
            here = every([left.yes, when.yes])
            for engine, truth in targets:
                choices[engine].append(every([here, truth.yes]))
            self.rule[rule.id] = every([left.yes, self.matches[rule.id].yes])
            left = all_of([left, ~self.matches[rule.id]])
        last = rules[-1]
        self._allowed(choices, last.route, left.yes)
        self.rule[last.id] = some([self.rule.get(last.id, FALSE), left.yes])
        self.engine = self._standing({engine: some(terms) for engine, terms in choices.items()})
        """When an engine answers, by its name."""

    def _allowed(self, choices: Mapping[str, list[Term]], engine: str, when: Term) -> None:
        """``engine`` or the first of its replacements that is not denied."""
        for name in (engine, *self._decision.instead(engine)):
            choices[name].append(every([when, self._decision.allowed(name).yes]))
            when = every([when, self._decision.denied[name].yes])

    def _standing(self, chosen: Mapping[str, Term]) -> Mapping[str, Term]:
        """What answers when the engine chosen is unhealthy; itself when all that could replace it is too."""
        answers: dict[str, list[Term]] = {engine: [] for engine in chosen}
        for engine, when in chosen.items():
            answers[engine].append(every([when, self._healthy(engine).yes]))
            left = every([when, self._healthy(engine).no])
            for name in self._decision.instead(engine):
                able = all_of([self._decision.allowed(name), self._healthy(name)])
                answers[name].append(every([left, able.yes]))
                left = every([left, able.no])
            answers[engine].append(left)
        return {engine: some(terms) for engine, terms in answers.items()}

    def _healthy(self, engine: str) -> Truth:
        return Truth.of(self._decision.terms.signal(healthy(engine)))


def _decisive(content: Content) -> Iterator[Condition]:
    """Every condition that a question may be about."""
    for rule in (*content.rules, *(shadow.rule for shadow in content.shadow)):
        yield rule.when
        if rule.hold:
            yield rule.hold
    for guard in content.guards:
        yield guard.when
    for each in content.never:
        yield each.when

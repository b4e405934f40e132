"""Which engine answers this turn, and why. Pure and synchronous: no I/O but loading a policy, no clock.

>>> policy = Policy.load(policies.shipped("default.yaml"))
>>> decision, memory = policy.decide(Signals({"turn.count": 1, "turn.chars": 12}), Memory.start("call-1"))
>>> decision.engine, decision.rule
('fast', 'opening')
"""

from router.decision import Decision
from router.errors import MemoryRecordError, ParamError, RouterError, SignalError
from router.memory import Memory
from router.policy import Policy
from router.signals import CATALOGUE, Scalar, Signals

__all__ = [
    "CATALOGUE",
    "Decision",
    "Memory",
    "MemoryRecordError",
    "ParamError",
    "Policy",
    "RouterError",
    "Scalar",
    "SignalError",
    "Signals",
]

"""Is the caller upset? What is heard in the voice and what is said, added up over the turns of a call.

Neither alone says enough: most anger is not audible and most complaints are made calmly.
"""

from classifiers.caller_state.model import SHIPPED, CallerStateModel
from classifiers.caller_state.state import CallerState, StateReading
from classifiers.caller_state.turn import WordCues

__all__ = ["SHIPPED", "CallerState", "CallerStateModel", "StateReading", "WordCues"]

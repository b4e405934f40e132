"""Is the caller audibly upset? From sound alone, window by window, one reading a turn.

A weak signal by nature: fuse it with what is said, and never let it alone deny anything.
"""

from classifiers.emotion.model import SHIPPED, EmotionModel, EmotionScores
from classifiers.emotion.stream import EmotionReading, EmotionStream

__all__ = ["SHIPPED", "EmotionModel", "EmotionReading", "EmotionScores", "EmotionStream"]

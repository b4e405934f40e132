"""What is heard and what is meant: emotion in the caller's voice, and whether a turn needs a tool.

Each classifier loads a model folder, answers with a calibrated probability and a confidence, and says when it does not
know. Both are synchronous, keep no state in the model and may be called from any thread.
"""

from classifiers.emotion import EmotionModel, EmotionReading, EmotionScores, EmotionStream
from classifiers.errors import ClassifierError
from classifiers.tool_need import ToolNeed, ToolNeedModel

__all__ = [
    "ClassifierError",
    "EmotionModel",
    "EmotionReading",
    "EmotionScores",
    "EmotionStream",
    "ToolNeed",
    "ToolNeedModel",
]

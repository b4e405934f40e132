"""Does this turn need a tool? From the words of the caller and the agent's last question."""

from classifiers.tool_need.adapt import Adapted, Report, TooFewTurnsError, adapt
from classifiers.tool_need.features import Earlier
from classifiers.tool_need.model import SHIPPED, Ready, ToolNeed, ToolNeedModel, write_folder
from classifiers.tool_need.tools import Tool, ToolSet
from classifiers.tool_need.turns import LabelledTurn

__all__ = [
    "SHIPPED",
    "Adapted",
    "Earlier",
    "LabelledTurn",
    "Ready",
    "Report",
    "TooFewTurnsError",
    "Tool",
    "ToolNeed",
    "ToolNeedModel",
    "ToolSet",
    "adapt",
    "write_folder",
]

"""Does this turn need a tool? From the words of the caller and the agent's last question."""

from classifiers.tool_need.model import SHIPPED, ToolNeed, ToolNeedModel

__all__ = ["SHIPPED", "ToolNeed", "ToolNeedModel"]

"""What operators edit: routing policies, the engine catalogue and prices, as YAML with positions.

The YAML files live in this folder; :mod:`policies.document` reads them and says where an error is.
"""

from policies.document import Document, DocumentError, Node, Problem, shipped

__all__ = ["Document", "DocumentError", "Node", "Problem", "shipped"]

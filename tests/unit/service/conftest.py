"""No process counts as hung because the machine is busy."""

from tests.patience import patient

__all__ = ["patient"]

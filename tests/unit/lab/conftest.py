"""No process of the lab counts as hung because the machine is busy."""

from tests.patience import patient

__all__ = ["patient"]

"""Where the numbers of the caller's state come from: constructed calls, a fit, a measurement. Extra ``train``."""

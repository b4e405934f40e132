"""How good the classifiers are, measured where it is hard, and drawn: what ``patchbay evaluate`` runs."""

"""Benches: each prints its figures, says whether they keep their promise, and exits non-zero if not."""

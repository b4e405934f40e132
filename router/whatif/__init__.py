"""What another policy would have done: replay, simulation, tuning and the frontier. Pure: calls in, figures out."""

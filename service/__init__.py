"""A call being answered: wiring, worker, configuration, and what people see of a call."""

"""What can answer a turn: engines built from the catalogue, and the desk that hands a call among them."""

"""What a deployment's own record teaches: labelled turns, how far they stand for all turns, and models made of them."""

"""What the word classifiers are trained and measured on; nothing here is needed at run time."""

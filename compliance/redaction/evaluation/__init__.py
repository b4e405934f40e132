"""How much of what is personal the redactor of a call masks, and how much else: measured through real sessions."""

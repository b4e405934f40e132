"""What the name finder learns from and is judged by: public texts, invented speech, and the trainer.

Needs the extra ``train``; nothing of a live call imports it.
"""

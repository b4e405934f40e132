"""How the shipped tool-need model is made: labels for public corpora, our own phrases. Needs the ``train`` extra."""

"""How the shipped emotion model is made: corpus, augmentation, network, export. Needs the ``train`` extra."""

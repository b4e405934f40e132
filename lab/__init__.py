"""A telephone exchange in a box: the vendors' wire protocols on loopback, recorded callers, scenarios.

The unmodified vendor plugins run against it by ``base_url``. What is recognised here was really decoded from
the audio that was sent, and what is heard here was really synthesised; only the language model is scripted.
Anything measured on the lab is *simulated* and must say so.
"""

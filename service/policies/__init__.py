"""The life of a policy: where it comes from, who may sign it, which one a call that begins now is answered under.

A worker follows its source (a file, a folder of signed bundles, an address) in one place; every process of it asks a
:class:`~service.policies.store.PolicyStore` when a call begins, and that call keeps what it was given to its end.
"""

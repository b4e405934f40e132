"""Consent and disclosure: what must be said and asked by whose law, what was heard of it, and what is agreed to.

Pure: the service says it, hears the caller, and puts on record what follows.
"""

from compliance.consent.rules import Basis, Disclosures, Rule, Rules, UnknownJurisdictionError, Wording
from compliance.consent.script import Passage, Script
from compliance.consent.state import Change, Consents, Meaning, Standing

__all__ = [
    "Basis",
    "Change",
    "Consents",
    "Disclosures",
    "Meaning",
    "Passage",
    "Rule",
    "Rules",
    "Script",
    "Standing",
    "UnknownJurisdictionError",
    "Wording",
]

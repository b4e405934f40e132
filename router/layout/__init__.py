"""The canonical layout of a policy file: order, indentation, quotes and columns, with every comment kept.

Nothing that the file says is changed: what comes out is read again and compared before anybody gets to see it.
"""

from __future__ import annotations

import re
from collections import Counter

from policies.document import Document, DocumentError, Problem
from router.keys import DOCUMENT, TEST_KEYS, TESTS
from router.layout.source import comments, read
from router.layout.writer import write
from router.reader import content_hash

__all__ = ["laid_out"]


def laid_out(text: str, *, file: str = "<text>") -> str:
    """``text``, a policy or tests of one, in its canonical layout. It need not be a policy that can be loaded.

    Raises:
        policies.DocumentError: it is neither, or holds what has no canonical layout.
    """
    text = re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))
    before = Document.parse(text, file=file)
    source = read(text, file=file)
    names = set(before.root.value)
    if names.isdisjoint(("policy", "rules", *TEST_KEYS["the tests"])):
        raise DocumentError(file, [Problem(1, 1, "is neither a policy nor tests of one: it has no `policy`")])
    result = write(source, TESTS if names & {*TEST_KEYS["the tests"]} else DOCUMENT)
    after = Document.parse(result, file=file)
    if content_hash(before) != content_hash(after) or Counter(source.comments) != Counter(comments(result)):
        raise DocumentError(
            file, [Problem(1, 1, "cannot be laid out without changing it, so it is left as it is")]
        )
    return result

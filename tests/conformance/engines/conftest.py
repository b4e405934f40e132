"""What the suite's own modules assert is explained as in tests."""

import pytest

pytest.register_assert_rewrite("tests.conformance.engines.pairs", "tests.conformance.engines.kept")

"""One definition of a percentile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.percentiles import nearest_rank

pytestmark = pytest.mark.unit


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_it_is_a_value_that_occurred_and_numpys_own_without_interpolation(
    values: list[int], share: float
) -> None:
    found = nearest_rank(sorted(values), share)
    assert found in values
    assert found == np.percentile(values, 100 * share, method="inverted_cdf")


def test_binary_fractions_do_not_move_a_rank() -> None:
    hundred = list(range(1, 101))
    assert [nearest_rank(hundred, share / 100) for share in range(1, 101)] == hundred


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_there_is_none_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="at least one value"):
        nearest_rank(values, share)

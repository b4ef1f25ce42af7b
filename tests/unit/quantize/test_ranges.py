import numpy as np
import pytest

from serval.quantize.rounding import BINS, RANGE_METHODS, Histogram, params_of, range_of


def seen(values):
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    counts = np.histogram(values, bins=BINS, range=(low, high))[0]
    return Histogram(low=low, high=high, counts=counts)


@pytest.fixture
def gaussian_with_outlier():
    values = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    values[0] = 300
    return seen(values)


@pytest.mark.parametrize(("low", "high"), [(-1, 3), (0, 5), (-4, 0), (2, 3), (0, 0)])
def test_zero_is_on_every_grid(low, high):
    assert params_of(low, high).rounded(np.zeros(1, dtype=np.float32))[0] == 0


def test_a_grid_errs_by_half_a_step_inside_and_saturates_outside():
    params = params_of(-1, 1)
    inside = np.linspace(-1, 1, 1001).astype(np.float32)
    assert np.abs(params.rounded(inside) - inside).max() <= 0.51 * params.scale
    assert params.rounded(np.float32([9.0]))[0] == pytest.approx(1, abs=0.01)


def test_min_max_covers_the_outlier_and_the_others_do_not(gaussian_with_outlier):
    ends = {method: range_of(gaussian_with_outlier, method) for method in RANGE_METHODS}
    assert ends["min-max"][1] == 300
    assert ends["percentile"][1] < 10
    assert ends["entropy"][1] < 100


@pytest.mark.parametrize("method", RANGE_METHODS)
def test_a_range_holds_zero_and_stays_within_what_was_seen(method):
    values = np.random.default_rng(1).gamma(2, 1, 50_000).astype(np.float32)
    low, high = range_of(seen(values), method)
    assert low <= 0 < high <= values.max() * 1.01


@pytest.mark.parametrize("method", RANGE_METHODS)
def test_a_constant_tensor_has_a_range(method):
    low, high = range_of(seen(np.zeros(100, dtype=np.float32)), method)
    assert params_of(low, high).scale > 0

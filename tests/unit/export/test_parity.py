"""When a file is said to differ from its checkpoint."""

import pytest

pytest.importorskip("torch")

from serval.errors import ModelError
from serval.export.options import Parity
from serval.export.parity import TOLERANCE, refuse_unless_equal


def parity(**changes):
    known = {"durations_s": (0.5, 10.0), "max_abs_diff": TOLERANCE, "same_argmax": 2}
    return Parity(**known | {"padded_max_abs_diff": TOLERANCE} | changes)


def test_rounding_is_no_difference():
    refuse_unless_equal(parity(), "c")
    refuse_unless_equal(parity(padded_max_abs_diff=None), "c")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"max_abs_diff": 2 * TOLERANCE},
            r"'c' differs from torch by 2\.0e-04 .* nothing was writ",
        ),
        ({"max_abs_diff": float("nan")}, "differs from torch by nan"),
        ({"same_argmax": 1}, "agrees on the label of 1 of 2 clips; nothing was written"),
        ({"padded_max_abs_diff": 2 * TOLERANCE}, "export it without --attention-mask"),
        ({"padded_max_abs_diff": float("nan")}, "export it without --attention-mask"),
    ],
)
def test_a_file_that_differs_is_refused(changes, said):
    with pytest.raises(ModelError, match=said):
        refuse_unless_equal(parity(**changes), "c")

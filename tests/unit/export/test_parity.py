"""When a file is said to differ from its checkpoint."""

import numpy as np
import pytest

pytest.importorskip("torch")

from build import voice
from graphs import classifier_graph, node
from serval.errors import ModelError
from serval.export.flow import TOLERANCE, compared, refuse_unless_equal
from serval.export.options import Parity
from serval.models.onnx import load_onnx


def parity(**changes):
    known = {"durations_s": (0.5, 10.0), "max_abs_diff": TOLERANCE, "same_argmax": 2}
    return Parity(**known | {"padded_max_abs_diff": TOLERANCE} | changes)


def test_independent_scores_are_compared_as_scores(tmp_path):
    after = [node("Sigmoid", "scores", "logits")]
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", after=after, k=8))
    clips = [voice(seconds=1.0), voice(1, seconds=0.5)]
    wanted = [model.scores(clip[None], np.array([len(clip)]))[0] for clip in clips]
    assert model.contract.outputs == "sigmoid"
    assert compared(model, clips, wanted).max_abs_diff == 0
    assert compared(model, clips, [one + 0.5 for one in wanted]).max_abs_diff == pytest.approx(0.5)


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

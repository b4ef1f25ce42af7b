from itertools import combinations

from serval.plots.canvas import figure
from serval.plots.quantization import QuantizedPoint, label_apart, save_quantization, text_box


def test_the_picture_is_the_same_every_time(tmp_path):
    points = [
        QuantizedPoint(name=f"v{i}", size_mb=10 + i, score=80, speed=1 + i, pareto=i == 1)
        for i in range(3)
    ]
    first = save_quantization(points, "accuracy %", "title", tmp_path / "a.png").read_bytes()
    assert (
        first == save_quantization(points, "accuracy %", "title", tmp_path / "b.png").read_bytes()
    )
    assert first.startswith(b"\x89PNG")


def test_a_title_is_no_formula_and_may_be_in_any_script(tmp_path):
    point = QuantizedPoint(name="int8", size_mb=10, score=80, speed=1, pareto=True)
    path = save_quantization([point], "accuracy %", r"生气 $\frac$", tmp_path / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_no_label_covers_another():
    """Seven variants, all but one of nearly the same size and accuracy."""
    points = [
        QuantizedPoint(name=f"variant {i}", size_mb=9.5, score=84, speed=2, pareto=False)
        for i in range(6)
    ]
    points.append(QuantizedPoint(name="fp32", size_mb=33, score=84, speed=1, pareto=True))
    picture = figure(8.0, 5.0)
    axes = picture.add_subplot()
    axes.set(xlim=(0, 40), ylim=(80, 90))
    boxes = [text_box(picture, label) for label in label_apart(picture, axes, points)]
    assert len(boxes) == 7
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))

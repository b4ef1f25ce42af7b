import math

import pytest

from serval.plots import cost
from serval.plots.cost import CostPoint, save_costs


def point(encoder="e", layer="0", ms=5.0, value=0.6, **more):
    usual = {"low": value - 0.1, "high": value + 0.1, "worse": False}
    return CostPoint(encoder=encoder, layer=layer, ms=ms, value=value, **usual | more)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws points and returns the picture."""
    pictures = []
    monkeypatch.setattr(cost, "save", lambda picture, path: pictures.append(picture) or path)

    def draw(panels):
        save_costs(panels, "UAR", tmp_path / "a.png")
        return pictures[-1]

    return draw


def test_each_set_has_a_panel_and_each_encoder_a_line(drawn):
    own = [point(layer="1", ms=9, value=0.7), point(), point("f", ms=50, worse=True)]
    picture = drawn({"one": own, "two": own[:2]})
    first, second = picture.axes
    assert (first.get_title(), second.get_title()) == ("one", "two")
    assert first.get_xscale() == "log"
    lines = {line.get_label(): line for line in first.lines if line.get_label() in {"e", "f"}}
    assert lines["e"].get_xdata().tolist() == [5, 9]
    assert lines["e"].get_ydata().tolist() == pytest.approx([60, 70])
    assert [text.get_text() for text in first.texts] == ["0", "1", "0"]
    hollow = [line for line in first.lines if line.get_markerfacecolor() == "white"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in hollow] == [(50, 60)]
    assert [text.get_text() for text in picture.legends[0].get_texts()] == ["e", "f"]


@pytest.mark.parametrize(
    "name", ["/data/encoders/of/many/kinds/wavlm-base/{}/fp32.onnx", "{}" * 40]
)
def test_long_names_are_in_the_legend_in_full_in_several_lines(drawn, name):
    picture = drawn({"one": [point(name.format(*"a" * 40)), point(name.format(*"b" * 40), ms=2)]})
    shown = [text.get_text() for text in picture.legends[0].get_texts()]
    assert [text.replace("\n", "") for text in shown] == [
        name.format(*"a" * 40), name.format(*"b" * 40)
    ]  # fmt: skip
    assert max(len(line) for text in shown for line in text.split("\n")) <= 40


def test_the_bars_are_the_intervals_and_none_where_there_is_none(drawn):
    picture = drawn({"one": [point(low=0.5, high=0.9), point("f", low=math.nan, high=math.nan)]})
    bars = [lines for lines in picture.axes[0].collections if lines.get_segments()]
    ends = [[row[1] for row in segment] for lines in bars for segment in lines.get_segments()]
    assert ends[0] == pytest.approx([50, 90])
    assert ends[1] == pytest.approx([60, 60])


def test_the_picture_is_the_same_every_time(tmp_path):
    panels = {f"set {i}": [point(f"e{j}", ms=j + 1) for j in range(9)] for i in range(2)}
    first = save_costs(panels, "UAR", tmp_path / "a.png").read_bytes()
    assert first == save_costs(panels, "UAR", tmp_path / "b.png").read_bytes()
    assert first.startswith(b"\x89PNG")

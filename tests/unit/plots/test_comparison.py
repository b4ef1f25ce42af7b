import numpy as np

from serval.plots import comparison
from serval.plots.comparison import Forest, save_forests
from serval.scores.stats import Difference


def known(low, high):
    parts = {"standard_error": 0.01, "p": 0.5, "detectable": 0.02}
    return Difference(value=(low + high) / 2, low=low, high=high, **parts)


def panels(monkeypatch, tmp_path, rows, changed):
    pictures = []
    monkeypatch.setattr(comparison, "save", lambda picture, path: pictures.append(picture) or path)
    save_forests([Forest(title="b minus a", rows=rows, changed=changed)], 0.01, tmp_path)
    return pictures[0].axes


def shown(monkeypatch, tmp_path, rows):
    return panels(monkeypatch, tmp_path, rows, {"sad": (1, 2)})[0].get_xlim()


def test_an_interval_that_leaves_the_picture_ends_in_an_arrow(monkeypatch, tmp_path):
    rows = {name: known(-0.013, 0.01) for name in "abcd"} | {"calm": known(-0.005, 0.09)}
    left, right = panels(monkeypatch, tmp_path, rows, {"sad": (0, 0)})
    arrows = {line.get_marker(): len(line.get_xdata()) for line in left.lines
              if line.get_gid() == "goes on"}  # fmt: skip
    assert arrows == {"<": 0, ">": 1}
    assert [text.get_text() for text in right.texts] == ["no clip changed between right and wrong"]


def test_one_rare_emotion_does_not_dwarf_the_other_intervals(monkeypatch, tmp_path):
    rows = {name: known(-0.013, 0.01) for name in "abcd"} | {"calm": known(-1.0, 1.0)}
    low, high = shown(monkeypatch, tmp_path, rows)
    assert -low == high
    assert 1.3 < high < 5


def test_every_difference_and_the_margin_are_in_the_picture(monkeypatch, tmp_path):
    far = {"a": known(-0.001, 0.001), "b": known(-0.001, 0.001), "c": known(-0.5, -0.3)}
    assert shown(monkeypatch, tmp_path, far)[0] < -40
    nan = {"a": known(np.nan, np.nan)}
    assert shown(monkeypatch, tmp_path, nan)[1] > 1

import pytest
from matplotlib.text import Text

from serval.plots.canvas import figure, save

FORMULA = r"a $\frac$ & $b$"


@pytest.mark.usefixtures("coarse_pictures")
def test_no_name_is_read_as_a_formula(tmp_path):
    picture = figure(3, 3)
    axes = picture.add_subplot()
    axes.plot([1, 2], [1, 1000], label=FORMULA)
    axes.set_xticks([1, 2], [FORMULA, "$"])
    axes.set_yscale("log")
    axes.set_title(FORMULA)
    axes.set_ylabel("latency")
    axes.legend()
    assert save(picture, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    shown = {text.get_text(): text.get_parse_math() for text in picture.findobj(Text)}
    assert shown[FORMULA] is False
    assert shown[r"$\mathdefault{10^{3}}$"] is True

from matplotlib import font_manager
from matplotlib.text import Text
from PIL import Image

from serval.plots import canvas
from serval.plots.canvas import figure, save

FORMULA = r"a $\frac$ & $b$"


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


def test_a_huge_picture_is_drawn_in_a_bounded_number_of_pixels(tmp_path, fine_pictures):
    for size, pixels in (((4, 3), (1200, 900)), ((30, 20), (3464, 2309))):
        with Image.open(save(figure(*size), tmp_path / "a.png")) as image:
            assert image.size == pixels


def test_letters_of_any_script_are_drawn_without_a_word(tmp_path, monkeypatch, recwarn):
    here = [*canvas.OTHER_SCRIPTS[:2], "Comic Sans MS", canvas.OWN_FONT]
    monkeypatch.setattr(font_manager, "get_font_names", lambda: here)
    canvas._fonts.cache_clear()
    assert canvas._fonts() == (canvas.OWN_FONT, *canvas.OTHER_SCRIPTS[:2])
    monkeypatch.setattr(font_manager, "get_font_names", lambda: [canvas.OWN_FONT])
    canvas._fonts.cache_clear()
    picture = figure(2, 1)
    canvas.head(picture, "生气/angry")
    assert save(picture, tmp_path / "a.png").stat().st_size > 500
    assert not list(recwarn)
    canvas._fonts.cache_clear()

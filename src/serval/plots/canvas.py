"""How every picture looks and how it is saved.

Here and in the rest of the room matplotlib is imported where something is drawn: it takes half a
second, which a command that draws nothing need not wait for.
"""

from __future__ import annotations

import math
import textwrap
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from serval.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from matplotlib.axes import Axes as Axes  # the rooms that draw name it from here
    from matplotlib.figure import Figure

DPI = 300

MOST_PIXELS = 8_000_000
"""Of a picture, 32 MB while it is drawn: one of many classes is coarser than the others."""

UNDATED = {
    "png": ("Software",),
    "svg": ("Creator", "Date"),
    "pdf": ("CreationDate", "Creator", "Producer"),
}
"""The formats of pictures, each with what it would say of when and by what it was made."""

FORMATS = tuple(UNDATED)

_FORMAT = ContextVar("format", default=FORMATS[0])

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito (2008): told apart with any colour vision."""

OWN_FONT = "DejaVu Sans"
OTHER_SCRIPTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC"),
    *("WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Noto Sans Devanagari", "Noto Sans Thai"),
)
"""Fonts that usual systems have for what the font of matplotlib lacks."""

EDGE_INCHES = 0.12
"""Room on both sides: square axes end up to 0.05 inches outside of where the layout puts them."""

LETTER_INCHES = 0.085
"""Width of a wide letter in the head of a picture."""


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    canvas = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=EDGE_INCHES))
    FigureCanvasAgg(canvas)
    return canvas


def head(picture: Figure, text: str) -> None:
    """Write lines over the whole picture, broken where they are too long for it."""
    letters = int(picture.get_figwidth() / LETTER_INCHES)
    lines = (line for long in text.splitlines() for line in textwrap.wrap(long, letters))
    picture.suptitle("\n".join(lines), fontsize=10)


@contextmanager
def pictures_as(chosen: str) -> Iterator[None]:
    """Have every picture inside of the block be saved in one of the `FORMATS`."""
    token = _FORMAT.set(chosen)
    try:
        yield
    finally:
        _FORMAT.reset(token)


def save(picture: Figure, path: Path) -> Path:
    """Return where the picture is, after saving it: 300 dpi unless huge, same input same bytes.

    That is `path`, its suffix changed to the format that was chosen with `pictures_as`.
    """
    kind = _FORMAT.get()
    path = path.with_suffix(f".{kind}")
    with whole_file(path) as part, _names_as_they_are(picture), _repeatable():
        picture.savefig(part, dpi=_dpi(picture), metadata=dict.fromkeys(UNDATED[kind]))
    return path


def _repeatable() -> AbstractContextManager[None]:
    """Have names in a file be the same each time, letters of a PDF stay text, and one minus."""
    from matplotlib import rc_context

    return rc_context({"svg.hashsalt": "serval", "pdf.fonttype": 42, "axes.unicode_minus": False})


def _dpi(picture: Figure) -> float:
    """Return the dots per inch: as many as the pixels of the whole picture allow."""
    width, height = picture.get_size_inches()
    return min(DPI, math.sqrt(MOST_PIXELS / (width * height)))


def lay_out(picture: Figure) -> None:
    """Give every part of a picture its final place, for whoever must move one."""
    with _names_as_they_are(picture):
        picture.canvas.draw()


@contextmanager
def _names_as_they_are(picture: Figure) -> Iterator[None]:
    """Draw names as they are: where no font here has their script as boxes, without a word."""
    _print_as_it_is(picture)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def _print_as_it_is(picture: Figure) -> None:
    """Let no name of a model, set or emotion be read as a formula because there is a `$` in it.

    Only the powers of ten that a logarithmic axis writes by itself are formulas.
    """
    from matplotlib.text import Text

    axes = [axis for each in picture.axes for axis in (each.xaxis, each.yaxis)]
    powers = {text for axis in axes if axis.get_scale() == "log" for text in axis.findobj(Text)}
    for text in picture.findobj(Text):
        if text not in powers:
            text.set_parse_math(False)
        if not text.get_text().isascii():
            text.set_fontfamily(list(_fonts()))


@cache
def _fonts() -> tuple[str, ...]:
    """Return the fonts of this machine that a letter is looked for in, one after the other."""
    from matplotlib import font_manager

    here = set(font_manager.get_font_names())
    return (OWN_FONT, *(name for name in OTHER_SCRIPTS if name in here))


def plain(axes: Axes, **grid: Any) -> None:  # noqa: ANN401 - of matplotlib
    """Draw a light grid into the axes, and no frame above them or at the right."""
    axes.grid(alpha=0.3, **grid)
    axes.spines[["top", "right"]].set_visible(False)


def given_axes(axes: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw into: those that are given, else new ones that a notebook shows."""
    if axes is not None:
        return axes
    from matplotlib import pyplot as plt  # looks for a display

    return plt.figure(figsize=(width, height), layout="constrained").add_subplot()

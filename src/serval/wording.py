"""How numbers are written for people, and how text from outside is made harmless.

Names of files, labels, columns and models are other people's text. A terminal obeys the control
characters in it, a spreadsheet its formulas, a markdown page its markup. Text becomes `printable`
where it comes in, and is quoted for a format where it goes out.

Below zero stands a hyphen, in sentences, tables, pictures and pages alike: every terminal shows it,
and what is copied into a spreadsheet is a number.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal

HIDDEN = frozenset(
    (
        *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
        *"\u2028\u2029\ufeff",
    )
)
"""Characters that turn the direction of text round, break lines, or show nothing at all."""

PLAIN_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
FORMULA_STARTS = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20")
"""And the same in full width, as keyboards of East Asia write them."""

FIRST_WORD = re.compile(r"[a-z]+(?=[ ,:;.]|$)(?!\.\w)", re.ASCII)
"""A word, not a name such as `wav2vec2`, `r_unf` or `model.onnx`."""

MARKUP = "\\`*_[]<>|"

WHOLE = 1000
"""Numbers from here on are shown without what is behind the point."""


def printable(text: str) -> str:
    r"""Return the text with escapes for control characters and `?` for what UTF-8 cannot hold.

    What comes back is one line, obeys no terminal, and reads from left to right as it is stored.

    Examples:
        >>> printable("Wut/äh-\udce9.wav")
        'Wut/äh-?.wav'
        >>> print(printable("red \x1b[31m, next\nline, \u202egnp.exe"))
        red \x1b[31m, next\nline, \u202egnp.exe
    """
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(
        _escape(character) if _is_hidden(character) else character for character in text
    )
    return shown.encode("utf-8", "replace").decode("utf-8")


def composed(text: str) -> str:
    """Return a text in one form (NFC): macOS writes an accent as a character of its own."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def shown(value: object, most: int = 60) -> str:
    """Return a value of outside as a message shows it: quoted text, in one line, cut where long.

    Examples:
        >>> shown("calm"), shown(["a", 1]), shown("a" * 9, most=4)
        ("'calm'", "['a', 1]", "'aaaa...'")
    """
    text = value if isinstance(value, str) else repr(value)
    cut = printable(text if len(text) <= most else f"{text[:most]}...")
    return f"'{cut}'" if isinstance(value, str) else cut


def one_line(error: BaseException | str) -> str:
    """Return what an error says in one printable line."""
    return printable(" ".join(str(error).split()))


def percent(value: float | None, digits: int = 2) -> str:
    """Return a share in [0, 1] as a percentage, or `n/a` where it is not defined.

    Examples:
        >>> percent(0.8214), percent(0.8214, 0), percent(None)
        ('82.14 %', '82 %', 'n/a')
    """
    return "n/a" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def hundredths(share: float | None, digits: int = 1) -> str:
    """Return a share in percent without the sign of it, for a column that says so.

    Examples:
        >>> hundredths(0.8214), hundredths(None)
        ('82.1', 'n/a')
    """
    return "n/a" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}"


def points(share: float | None, *, sign: bool = False, digits: int = 2) -> str:
    """Return a share of 1 in percentage points, or `n/a` where it is not defined.

    Args:
        share: Of 1, or a difference of two.
        sign: Whether a gain has a plus; else noughts behind the point are left out.
        digits: Decimals of one with a sign.

    Examples:
        >>> points(-0.0035, sign=True), points(0.01), points(float("nan"))
        ('-0.35', '1', 'n/a')
        >>> points(0.0284, sign=True, digits=0), points(-0.0001, sign=True, digits=0)
        ('+3', '0')
    """
    if share is None or math.isnan(share):
        return "n/a"
    if sign:
        return _hundredfold(share, "+", digits)
    return f"{100 * share:.2f}".rstrip("0").rstrip(".")


def three_digits(number: float) -> str:
    """Return a positive number with three digits, or with all of them in front of the point.

    Examples:
        >>> three_digits(0.0123), three_digits(33.7), three_digits(8_400_000)
        ('0.0123', '33.7', '8,400,000')
        >>> three_digits(0.00001), three_digits(999.5)
        ('0.00001', '1,000')
    """
    return f"{number:,.0f}" if number >= WHOLE else f"{Decimal(f'{number:.3g}').normalize():,f}"


def scored(score: Mapping[str, float | None]) -> str:
    """Return a score in percent with its interval: `84.34 % [81.2, 87.0]`.

    Args:
        score: `value`, `low` and `high` in [0, 1]; `None` or NaN where not defined.
    """
    value, low, high = (score[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None or math.isnan(low):
        return percent(value)
    return f"{percent(value)} [{100 * low:.1f}, {100 * high:.1f}]"


def scored_short(score: Mapping[str, float | None], digits: int = 0) -> str:
    """Return a score in percent with its interval, `84.3 [83, 86]`, for a narrow column.

    Args:
        score: `value`, `low` and `high` in [0, 1]; `None` where not defined.
        digits: Decimals of the interval.
    """
    return _short(score, "", digits)


def change_short(change: Mapping[str, float | None], digits: int = 1) -> str:
    """Return a difference of shares in points with its interval, for a narrow column.

    Examples:
        >>> change_short({"value": -0.0214, "low": -0.034, "high": 0.0})
        '-2.1 [-3.4, 0.0]'

    Args:
        change: `value`, `low` and `high` in [-1, 1]; `None` where not defined.
        digits: Decimals of the interval; the difference itself has at least one.
    """
    return _short(change, "+", digits)


def span(low: float, high: float) -> str:
    """Return the ends of an interval of a difference of shares, in points with their signs.

    Examples:
        >>> span(-0.0064, 0.0034)
        '-0.64 to +0.34'
    """
    return f"{points(low, sign=True)} to {points(high, sign=True)}"


def in_points(share: float, *, sign: bool = False) -> str:
    """Return a share of 1 in percentage points, with the unit.

    Examples:
        >>> in_points(0.01), in_points(0.005), in_points(-0.0015, sign=True)
        ('1 point', '0.5 points', '-0.15 points')
    """
    return f"{points(share, sign=sign)} point{'' if share == 0.01 else 's'}"


def counted(n: int, one: str, several: str = "") -> str:
    """Return a number of things.

    Args:
        n: How many.
        one: What one of them is called, with its verb where there is one.
        several: What more of them are called, where that is not `one` with an `s`.

    Examples:
        >>> counted(1, "clip"), counted(1999, "clip"), counted(2, "clip is", "clips are")
        ('1 clip', '1,999 clips', '2 clips are')
    """
    return f"{n:,} {one if n == 1 else several or f'{one}s'}"


def as_sentence(text: str) -> str:
    """Return the text with a capital, unless it begins with what may be a name, and an end.

    Examples:
        >>> as_sentence("no mask"), as_sentence("r_unf: too short"), as_sentence("What?")
        ('No mask.', 'r_unf: too short.', 'What?')
    """
    begun = f"{text[0].upper()}{text[1:]}" if FIRST_WORD.match(text) else text
    return begun if begun.endswith((".", "!", "?")) else f"{begun}."


def left_out_sentences(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what lies in a set's place and was not looked at, a sentence for each reason.

    Args:
        parts: The fields of `records.LeftOut`.
    """
    return [
        f"{part['n']} left out: {part['reason']}"
        + (f", such as {', '.join(part['examples'])}." if part["examples"] else ".")
        for part in parts
    ]


def numbered(score: Mapping[str, float | None], digits: int = 2) -> str:
    """Return a score that is no share with its interval: `0.71 [0.66, 0.75]`, or `n/a`.

    Examples:
        >>> numbered({"value": -0.0014, "low": -0.1, "high": 0.001})
        '0.00 [-0.10, 0.00]'

    Args:
        score: `value`, `low` and `high`; `None` where not defined.
        digits: Behind the point.
    """
    value, low, high = (score[key] for key in ("value", "low", "high"))
    if value is None or math.isnan(value):
        return "n/a"
    if low is None or high is None or math.isnan(low):
        return _fixed(value, "", digits)
    return f"{_fixed(value, '', digits)} [{_fixed(low, '', digits)}, {_fixed(high, '', digits)}]"


def decimals(score: float, digits: int = 3, *, sign: bool = False) -> str:
    """Return a score that is no share, without an interval, or `n/a`.

    Args:
        score: Or a difference of two.
        digits: Behind the point.
        sign: Whether a gain has a plus.

    Examples:
        >>> decimals(0.61249), decimals(float("nan"))
        ('0.612', 'n/a')
        >>> decimals(0.0124, sign=True), decimals(-0.0001, sign=True)
        ('+0.012', '0.000')
    """
    return "n/a" if math.isnan(score) else _fixed(score, "+" if sign else "", digits)


def csv_cell(text: str) -> str:
    """Return a printable cell that no spreadsheet runs as a formula: those get an apostrophe.

    Source: OWASP, CSV Injection.

    Examples:
        >>> csv_cell("=HYPERLINK(1)"), csv_cell("angry"), csv_cell("-"), csv_cell("-0.5")
        ("'=HYPERLINK(1)", 'angry', "'-", '-0.5')
    """
    if PLAIN_NUMBER.fullmatch(text):
        return text
    hidden = text.startswith(("\0", "\t", "\r", "\n"))
    shown_text = printable(text)
    return f"'{shown_text}" if hidden or text.lstrip().startswith(FORMULA_STARTS) else shown_text


def free_name(name: str, prefix: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: with the prefix before it, as often as that needs.

    Examples:
        >>> free_name("index", "group_", ["index", "group_index"])
        'group_group_index'
    """
    return name if name not in taken else free_name(f"{prefix}{name}", prefix, taken)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message on an unknown name: the known one that it looks like, or `""`.

    Examples:
        >>> did_you_mean("modls", ["models", "datasets"]), did_you_mean("x", ["models"])
        ("; did you mean 'models'?", '')
        >>> did_you_mean("ravdes", ["RAVDESS"])
        "; did you mean 'RAVDESS'?"
    """
    names = {one.casefold(): one for one in known}
    alike = get_close_matches(name.casefold(), list(names), n=1)
    return f"; did you mean '{names[alike[0]]}'?" if alike else ""


def markdown_text(text: str) -> str:
    r"""Return text of outside for a line of GitHub markdown.

    Examples:
        >>> print(markdown_text("a_b|c"))
        a\_b\|c
    """
    escaped = "".join(f"\\{character}" if character in MARKUP else character for character in text)
    return printable(escaped.replace("\n", " "))


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table of GitHub markdown, ending in a line end; cells are markdown already.

    Args:
        head: Titles of the columns.
        rows: As many cells each.
        left: How many columns, from the first, are text; the others are numbers.

    Examples:
        >>> print(markdown_table(["Emotion", "F1"], [["angry", "0.9"]]))
        | Emotion | F1 |
        |---|---:|
        | angry | 0.9 |
    """
    rule = ["---" if column < left else "---:" for column in range(len(head))]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def without_nan(value: object) -> object:
    """Return the value in plain JSON types, with `None` for NaN; tuples become lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


def _short(number: Mapping[str, float | None], sign: Literal["", "+"], digits: int) -> str:
    value, low, high = (number[key] for key in ("value", "low", "high"))
    if value is None or math.isnan(value):
        return "n/a"
    shown_value = _hundredfold(value, sign, max(1, digits))
    if low is None or high is None or math.isnan(low):
        return shown_value
    ends = ", ".join(_hundredfold(end, sign, digits) for end in (low, high))
    return f"{shown_value} [{ends}]"


def _hundredfold(share: float, sign: Literal["", "+"], digits: int) -> str:
    return _fixed(100 * share, sign, digits)


def _fixed(number: float, sign: Literal["", "+"], digits: int) -> str:
    """Return a number with so many digits behind the point; none is written without a sign."""
    text = f"{number:{sign}.{digits}f}"
    return text if float(text) else f"{0:.{digits}f}"


def _is_hidden(character: str) -> bool:
    return character in HIDDEN or unicodedata.category(character) == "Cc"


def _escape(character: str) -> str:
    short: Mapping[str, Literal["\\n", "\\r", "\\t"]] = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(character)
    return short.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")

"""What is done to a file, as hypothesis draws it: to its bytes, and to the values that it holds.

Values that no library writes (nesting without an end, numbers of 5,000 digits, YAML that grows) are
drawn as marks, which `raw` turns into text after the rest was written.
"""

import json
import math
from collections.abc import Mapping

from hypothesis import strategies as st

ESC = "\x1b]0;title\x07\x1b[31m"
BIDI = "\u202egnp.exe"
_BOMB = ", ".join(
    ["&a0 [x, x, x, x, x, x, x, x]"]
    + [f"&a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
)
MARKS = {
    "@deep@": "[" * 20_000 + "]" * 20_000,
    "@deepmap@": '{"a": ' * 3_000 + "1" + "}" * 3_000,
    "@digits@": "9" * 5_000,
    "@exponent@": "1e999999",
}
YAML_MARKS = MARKS | {
    "@bomb@": f"[{_BOMB}]",
    "@loop@": "&l [*l]",
    "@loopmap@": "&l {a: *l}",
    "@date@": "2024-13-45",
    "@time@": "2024-01-01T00:00:00Z",
    "@binary@": "!!binary aGFsbG8=",
    "@set@": "!!set {a, b}",
    "@python@": "!!python/object/apply:os.system [true]",
    "@sexagesimal@": "190:20:30",
    "@complexkey@": "{? [a, b] : c}",
    "@merge@": "{<<: [1, 2]}",
}
ODD = (
    *(None, True, False, 0, 1, -1, 7, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308),
    *(5e-324, math.nan, math.inf, -math.inf, "", " ", "nan", "1e999", "angry", "../../etc/passwd"),
    *("/dev/zero", "a\0b", ESC, BIDI, "\x9b2J", "\ud800", "ß" * 300, "x" * 70_000, "=1+1", "|a|"),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": []}}, [1, "a", None], ["angry"] * 2),
)


def raw(text, marks=MARKS):
    """The text with its marks written out, as bytes; half a character becomes what no UTF-8 is."""
    for mark, meant in marks.items():
        text = text.replace(json.dumps(mark), meant)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def mutated_bytes(draw, content, other=b""):
    """The content after one to four changes, half of them near its beginning."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        end = draw(st.sampled_from((12, 64, 256, len(changed), len(changed))))
        at = draw(st.integers(0, min(end, len(changed))))
        size = draw(st.sampled_from((1, 2, 4, 4, 8, 50, 1_000)))
        draw(st.sampled_from(BYTES))(draw, changed, slice(at, at + size), other)
    return bytes(changed)


def _number(draw, changed, where, _other):
    width = draw(st.sampled_from((1, 2, 4, 8)))
    value = draw(st.sampled_from((0, 1, 2**7, 2**15, 2**31 - 1, 2**31, 2**62, 2**64 - 1, 65, 3)))
    order = draw(st.sampled_from(("little", "big")))
    changed[where.start : where.start + width] = (value % 256**width).to_bytes(width, order)


def _random(draw, changed, where, _other):
    changed[where] = draw(st.binary(min_size=1, max_size=8))


def _insert(draw, changed, where, _other):
    odd = (b"\0", b"\xff" * 4, b"\n", b"\r", b'"', b",", b"\t", ESC.encode(), BIDI.encode())
    changed[where.start : where.start] = draw(st.sampled_from(odd)) * draw(st.integers(1, 3))


def _delete(_draw, changed, where, _other):
    del changed[where]


def _repeat(draw, changed, where, _other):
    changed[where] = bytes(changed[where]) * draw(st.integers(2, 40))


def _truncate(_draw, changed, where, _other):
    del changed[where.start :]


def _splice(draw, changed, where, other):
    start = draw(st.integers(0, len(other)))
    changed[where.start :] = other[start:]


def _flip(draw, changed, where, _other):
    if where.start < len(changed):
        changed[where.start] ^= 1 << draw(st.integers(0, 7))


BYTES = (_number, _number, _number, _random, _flip, _insert, _delete, _repeat, _truncate, _splice)


@st.composite
def mutated_value(draw, value, marks=MARKS):
    """A value of plain types after one to three changes somewhere inside."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(value))))
        value = _changed(draw, value, path, marks)
    return value


def _paths(value, path=()):
    yield path
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _paths(inner, (*path, i))


def _changed(draw, value, path, marks):
    """A copy of the value in which what lies at the path is replaced, gone, doubled or renamed."""
    if not path:
        return draw(st.sampled_from((*ODD, *marks))) if draw(st.integers(0, 9)) == 0 else value
    key, *rest = path
    copy = dict(value) if isinstance(value, Mapping) else list(value)
    if rest:
        copy[key] = _changed(draw, copy[key], rest, marks)
        return copy
    what = draw(st.sampled_from(("replace", "replace", "replace", "delete", "double", "wrap")))
    if what == "delete":
        del copy[key]
    elif what == "double" and isinstance(copy, list):
        copy.insert(draw(st.integers(0, len(copy))), copy[key])
    elif what == "double":
        copy[draw(st.sampled_from(("", "a.b", ESC, BIDI, "\ud800", "path", "label")))] = copy[key]
    elif what == "wrap":
        copy[key] = draw(st.sampled_from(([copy[key]], {"a": copy[key]}, str(copy[key]))))
    else:
        copy[key] = draw(st.sampled_from((*ODD, *marks)))
    return copy


def toml(value):
    """The value as TOML has it in one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_text(key)} = {toml(inner)}" for key, inner in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return '""' if value is None else _text(value)


def _text(value):
    return json.dumps(value, ensure_ascii=not isinstance(value, str) or "\ud800" in value)

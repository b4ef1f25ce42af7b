"""How long a file says its samples are, against how many bytes are there.

A size promises nothing: programs that write to a pipe leave 0 or all ones, others count the header
as sound. Such sizes are mended, since libsndfile obeys some of them. A size that promises
noticeably more than is there (see `is_missing_much`) means that the file was cut off.

Source: the specifications of each format, and `src/` of libsndfile 1.2.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from serval.audio.encoded import UNKNOWN_FROM, Part, is_missing_much
from serval.errors import TruncatedError

if TYPE_CHECKING:
    from collections.abc import Callable

LAST_KIND = 9
"""Kinds of blocks in a VOC file are 1 to this."""

Order = Literal["little", "big"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """What a file says of its samples.

    Attributes:
        start: Where the bytes begin that are counted.
        n_bytes: How many there are, in its words.
        field: Where it says so: position, width and order; `None` where it cannot be mended.
        more: What the field counts beside them.
        empty: A size that stands for none or for not known.
        chunk: Bytes in the name of a chunk that may follow, and in its size; zeros for no chunks.
        alignment: Bytes to a multiple of which chunks are filled up.
    """

    start: int
    n_bytes: int
    field: tuple[int, int, Order] | None = None
    more: int = 0
    empty: int = 0
    chunk: tuple[int, int] = (0, 0)
    alignment: int = 1

    @property
    def is_known(self) -> bool:
        return self.empty < self.n_bytes < UNKNOWN_FROM


def sized_parts(encoded: bytes) -> list[Part]:
    """Return the sounds of a file whose header gives a size, each mended; none if there is none.

    Raises:
        TruncatedError: The samples end noticeably before they should.
    """
    parts = []
    while size := _size(encoded):
        following = _following(encoded, size)
        parts.append(Part(encoded=_mended(encoded[:following], size)))
        encoded = encoded[following:]
    return parts


def _mended(encoded: bytes, size: _Size) -> bytes:
    """Return the file with the size of what is there, where it says another one."""
    there = len(encoded) - size.start
    if size.is_known and is_missing_much(there, size.n_bytes):
        raise TruncatedError(f"truncated: {there} of {size.n_bytes} bytes of samples are there")
    if there < 0 or size.field is None or _is_right(encoded, size):
        return encoded
    at, width, order = size.field
    field = (there + size.more).to_bytes(width, order)
    return encoded[:at] + field + encoded[at + width :]


def _is_right(encoded: bytes, size: _Size) -> bool:
    """Tell whether the samples end where they should, at the end or before what is no sound."""
    end = size.start + size.n_bytes
    behind = len(encoded) - end
    if size.n_bytes >= UNKNOWN_FROM:
        return False
    if behind == 0 or _chunk_end(encoded, end, size):
        return True
    return size.is_known and behind > 0 and not is_missing_much(size.n_bytes, size.n_bytes + behind)


def _following(encoded: bytes, size: _Size) -> int:
    """Return where another file of the same kind begins, or the end of this one."""
    end = size.start + size.n_bytes
    if not size.is_known and not _chunk_end(encoded, end, size):
        return _next_header(encoded, size)
    while end < len(encoded):
        if _begins(encoded, end):
            return end
        end = _chunk_end(encoded, end, size) or len(encoded)
    return len(encoded)


def _next_header(encoded: bytes, size: _Size) -> int:
    """Return where another header stands among samples whose end is not known."""
    start = encoded.find(encoded[:4], max(1, size.start))  # a header may say that it has no length
    while start >= 0:
        if _begins(encoded, start):
            return start
        start = encoded.find(encoded[:4], start + 1)
    return len(encoded)


def _begins(encoded: bytes, start: int) -> bool:
    """Tell whether there is a header like the first one."""
    alike = slice(12, 16) if encoded.startswith((b".snd", b"dns.")) else slice(8, 12)
    return (
        encoded.startswith(encoded[:4], start)
        and encoded[start + alike.start : start + alike.stop] == encoded[alike]
    )


def _chunk_end(encoded: bytes, start: int, size: _Size) -> int:
    """Return where the chunk ends that begins at `start`; 0 if none does."""
    name, width = size.chunk
    for begin in (_aligned(start, size.alignment), start):
        head = encoded[begin : begin + name + width]
        if not name or len(head) < name + width or not _is_name(head[:4]):
            continue
        n_bytes = int.from_bytes(head[name:], size.field[2] if size.field else "little")
        end = begin + n_bytes + (0 if name == 16 else name + width)
        if begin < end <= len(encoded):
            return _aligned(end, size.alignment)
    return 0


def _is_name(name: bytes) -> bool:
    return name.isascii() and name.decode().isprintable()


def _aligned(at: int, alignment: int) -> int:
    return -(-at // alignment) * alignment


def _size(encoded: bytes) -> _Size | None:
    for magic, size_of in SIZES.items():
        if magic.match(encoded):
            return size_of(encoded)
    return None


RIFF = _Size(start=12, n_bytes=0, chunk=(4, 4), alignment=2)
AIFF = replace(RIFF, empty=8)
W64 = _Size(start=40, n_bytes=0, more=24, chunk=(16, 8), alignment=8)
"""Its sizes count the 24 bytes of their own head."""

CAF = _Size(start=8, n_bytes=0, empty=4, chunk=(4, 8))
"""Its chunk `data` counts the 4 bytes of its edit count."""


def _chunked(
    encoded: bytes, order: Order, name: bytes = b"data", size: _Size = RIFF
) -> _Size | None:
    """Return the size of the chunk of that name.

    Args:
        encoded: The file.
        order: Of the bytes in a size.
        name: How the chunk's name begins.
        size: What all files of the format have, and where the first chunk begins.
    """
    before, (at, width), start = sum(size.chunk), size.chunk, size.start
    while start + before <= len(encoded):
        n_bytes = int.from_bytes(encoded[start + at : start + before], order)
        if encoded[start : start + 4] == name:
            return replace(
                size,
                start=start + before,
                n_bytes=max(0, n_bytes - size.more),
                field=(start + at, width, order),
            )
        start += max(before, _aligned(before - size.more + n_bytes, size.alignment))
    return None


def _rf64(encoded: bytes) -> _Size | None:
    """Return the size of the chunk `data`, which a chunk `ds64` in front of it gives (EBU 3306)."""
    size = _chunked(encoded, "little")
    if size is None or encoded[12:16] != b"ds64" or size.n_bytes < UNKNOWN_FROM:
        return size
    n_bytes = int.from_bytes(encoded[28:36], "little")
    return replace(size, n_bytes=n_bytes, field=(28, 8, "little"))


def _au(encoded: bytes) -> _Size | None:
    order: Order = "big" if encoded.startswith(b".snd") else "little"
    start, n_bytes = (int.from_bytes(encoded[at : at + 4], order) for at in (4, 8))
    return _Size(start=start, n_bytes=n_bytes, field=(8, 4, order))


def _nist(encoded: bytes) -> _Size | None:
    head = encoded[:1024].decode("latin-1")
    numbers = {name: int(n) for name, n in re.findall(r"(\w+) -(?:i|s\d) (\d{1,12})\b", head)}
    if "shorten" in head or not {"sample_count", "sample_n_bytes"} <= numbers.keys():
        return None
    n_values = numbers["sample_count"] * numbers.get("channel_count", 1)
    return _Size(start=1024, n_bytes=n_values * numbers["sample_n_bytes"])


def _voc(encoded: bytes) -> _Size | None:
    """Return the size of the blocks, each of a kind from 1 to 9 and 24 bits of size, up to kind 0.

    Where another kind comes, a size before it was wrong, and none is known.
    """
    first = start = int.from_bytes(encoded[20:22], "little")
    while start + 4 <= len(encoded) and 0 < encoded[start] <= LAST_KIND:
        start += 4 + int.from_bytes(encoded[start + 1 : start + 4], "little")
    is_lost = encoded[start : start + 1] > bytes([LAST_KIND])
    return _Size(start=first, n_bytes=0 if is_lost else start - first)


def _mat4(encoded: bytes) -> _Size | None:
    """Return the size of the second matrix, behind the one that holds the sample rate."""
    first = _matrix(encoded, 0)
    second = _matrix(encoded, first.start + first.n_bytes)
    return second if second.n_bytes else None


def _matrix(encoded: bytes, at: int) -> _Size:
    order: Order = "big" if encoded.startswith(b"\0\0\x03\xe8") else "little"
    kind, rows, columns, _, name = (
        int.from_bytes(encoded[i : i + 4], order) for i in range(at, at + 20, 4)
    )
    width = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10, 0)
    return _Size(start=at + 20 + name, n_bytes=rows * columns * width)


def _mat5(encoded: bytes) -> _Size | None:
    """Return the size of the elements behind the head, each of a kind and a size."""
    order: Order = "little" if encoded[126:128] == b"IM" else "big"
    start = 128
    while start + 8 <= len(encoded):
        start += 8 + _aligned(int.from_bytes(encoded[start + 4 : start + 8], order), 8)
    return _Size(start=128, n_bytes=start - 128)


def _avr(encoded: bytes) -> _Size | None:
    is_stereo, bits, n = (
        int.from_bytes(encoded[a:b], "big") for a, b in ((12, 14), (14, 16), (26, 30))
    )
    return _Size(start=128, n_bytes=n * (2 if is_stereo else 1) * bits // 8)


def _mpc2k(encoded: bytes) -> _Size | None:
    is_stereo, n = encoded[21], int.from_bytes(encoded[30:34], "little")
    return _Size(start=42, n_bytes=n * 2 * (2 if is_stereo else 1))


def _wve(encoded: bytes) -> _Size | None:
    return _Size(start=32, n_bytes=int.from_bytes(encoded[18:22], "big"))


def _sds(encoded: bytes) -> _Size | None:
    """Return the size of the blocks of a MIDI sample dump, 127 bytes each with 120 of samples."""
    length = sum(byte << shift for byte, shift in zip(encoded[10:13], (0, 7, 14), strict=True))
    in_a_block = 120 // max(1, -(-encoded[6] // 7))
    return _Size(start=21, n_bytes=-(-length // max(1, in_a_block)) * 127)


SIZES: dict[re.Pattern[bytes], Callable[[bytes], _Size | None]] = {
    re.compile(pattern, re.DOTALL): size_of
    for pattern, size_of in (
        (rb"RIFF....WAVE", partial(_chunked, order="little")),
        (rb"RIFX....WAVE", partial(_chunked, order="big")),
        (rb"RF64....WAVE", _rf64),
        (rb"FORM....AIF[FC]", partial(_chunked, order="big", name=b"SSND", size=AIFF)),
        (rb"FORM....(8SVX|16SV)", partial(_chunked, order="big", name=b"BODY")),
        (rb"riff\x2e\x91\xcf\x11", partial(_chunked, order="little", size=W64)),
        (rb"caff", partial(_chunked, order="big", size=CAF)),
        (rb"(\.snd|dns\.).{20}", _au),
        (rb"NIST_1A", _nist),
        (rb"Creative Voice File\x1a..", _voc),
        (rb"\0\0\x03\xe8.{16}|\0\0\0\0.{16}samplerate", _mat4),
        (rb"MATLAB 5.{118}(MI|IM)", _mat5),
        (rb"2BIT.{124}", _avr),
        (rb"\x01\x04.{40}", _mpc2k),
        (rb"\xf0\x7e.\x01.{17}", _sds),
        (rb"ALawSoundFile\*\*.{16}", _wve),
    )
}
"""What a file begins with -> what reads its size."""

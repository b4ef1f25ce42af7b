"""MPEG audio (MP3 and its sisters): frames one behind the other, among tags and other bytes.

A file has no length of its own. An encoder may leave a first frame without sound that counts the
others (Xing, Info); otherwise libmpg123 estimates the length from the first frame, and libsndfile
stops there. So the frames are found and counted here, and a part without a count is given one.

Source: ISO/IEC 11172-3, 2.4.2.3 and 13818-3, 2.4.2.3 (the header); id3.org (ID3v2.4, 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.audio import libsndfile
from serval.audio.encoded import Part, is_missing_much
from serval.errors import TruncatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_A_ROW = 4
"""So many headers one behind the other are no chance, where the place of the first is not known."""

FURTHEST = 2**20
"""How many bytes that are no MPEG may stand before the first frame, such as an unknown tag."""

FEW = 2
"""Frames by which the count of an encoder may be wrong."""

V1, V2, V25 = 3, 2, 0
KBITS = {
    (V1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (V1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (V1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (V2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (V2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (V2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = {V1: (44_100, 48_000, 32_000), V2: (22_050, 24_000, 16_000), V25: (11_025, 12_000, 8_000)}
MONO = 3

LARGEST = 14
"""Index of the highest bit rate, whose frames hold a count whatever the sample rate."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """The header of a frame.

    Attributes:
        start: Where it begins in the file.
        kind: Version, layer, sample rate and whether it is mono: the same for all of a sound.
        size: Bytes of the frame, with its header.
    """

    start: int
    kind: tuple[int, int, int, bool]
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def samples(self) -> int:
        version, layer, *_ = self.kind
        if layer == 1:
            return 384
        return 576 if layer == 3 and version != V1 else 1152

    @property
    def count_at(self) -> int:
        """Where a count lies in the frame: behind the side information of layer 3."""
        version, _, _, mono = self.kind
        return 4 + {(V1, False): 32, (V1, True): 17, (V2, False): 17}.get(
            (V1 if version == V1 else V2, mono), 9
        )


def behind_id3(encoded: bytes, start: int = 0) -> int:
    """Return where an ID3v2 tag that begins at `start` ends; `start` where there is none."""
    head = encoded[start : start + 10]
    while len(head) == 10 and head[:3] == b"ID3" and max(head[6:]) < 128:
        size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        start += 10 + size + (10 if head[5] & 16 else 0)
        head = encoded[start : start + 10]
    return min(start, len(encoded))


def begins_mpeg(encoded: bytes) -> bool:
    """Tell whether a file begins with the header of a frame."""
    return _frame(encoded, 0) is not None


def mpeg_parts(encoded: bytes) -> list[Part]:
    """Return the sounds of an MPEG audio file, without what is no sound; none if it is none.

    Raises:
        TruncatedError: There are fewer frames than an encoder counted.
    """
    sounds: list[list[_Frame]] = []
    for frame in _frames(encoded):
        if not sounds or frame.kind != sounds[-1][0].kind or _count(encoded, frame) is not None:
            sounds.append([])
        sounds[-1].append(frame)
    return [part for sound in sounds for part in _counted(encoded, sound)]


def _counted(encoded: bytes, frames: list[_Frame]) -> Iterator[Part]:
    """Yield the frames that were counted, then those behind them."""
    count = _count(encoded, frames[0])
    there = len(frames) - 1
    if count is not None and not there:
        return  # a count without sound, or in front of frames of another kind
    if not count:
        yield _uncounted(encoded, frames[1:] if count == 0 else frames)
    elif is_missing_much(there, count, FEW):
        raise TruncatedError(f"truncated: {there} of {count} MPEG frames are there")
    elif is_missing_much(count, there, FEW):
        yield Part(encoded=_sound(encoded, frames[: count + 1]), promised=0)
        yield _uncounted(encoded, frames[count + 1 :])
    else:
        yield Part(encoded=_sound(encoded, frames), promised=0)


def _uncounted(encoded: bytes, frames: list[_Frame]) -> Part:
    """Return frames as they are, or behind a count where libsndfile would stop before the last.

    The count is only given then, since libmpg123 leaves out 529 samples, its delay, behind one.
    """
    sound = _sound(encoded, frames)
    if frames and libsndfile.frames_of(sound) < sum(frame.samples for frame in frames):
        sound = _count_frame(encoded, frames) + sound
    return Part(encoded=sound, promised=0)


def _sound(encoded: bytes, frames: list[_Frame]) -> bytes:
    return b"".join(encoded[frame.start : frame.end] for frame in frames)


def _frames(encoded: bytes) -> Iterator[_Frame]:
    """Yield the whole frames, past tags and whatever else stands between them."""
    start, before = behind_id3(encoded), None
    first_until = start + FURTHEST
    while 0 <= start < len(encoded):
        frame = _frame(encoded, start)
        if frame and frame.end > len(encoded):
            frame = None  # a rest of one
        if frame and ((before and frame.kind == before.kind) or _leads_on(encoded, frame)):
            yield frame
            start, before = behind_id3(encoded, frame.end), frame
            continue
        if not before and start > first_until:
            return
        start = encoded.find(b"\xff", start + 1)


def _leads_on(encoded: bytes, frame: _Frame) -> bool:
    """Tell whether frames of one kind follow, or the end of the sound does."""
    for _ in range(IN_A_ROW - 1):
        if _is_end(encoded, frame.end):
            return True
        following = _frame(encoded, behind_id3(encoded, frame.end))
        if following is None or following.kind != frame.kind:
            return False
        frame = following
    return True


def _is_end(encoded: bytes, at: int) -> bool:
    return at == len(encoded) or encoded.startswith((b"TAG", b"APETAGEX", b"LYRICSBEGIN"), at)


def _frame(encoded: bytes, start: int) -> _Frame | None:
    """Return the frame whose header is at `start`, if it is one."""
    head = int.from_bytes(encoded[start : start + 4], "big")
    version, layer = head >> 19 & 3, 4 - (head >> 17 & 3)
    bitrate, rate = head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer == 4 or bitrate in {0, 15} or rate == 3:
        return None
    kbits = KBITS[V1 if version == V1 else V2, layer][bitrate - 1]
    size = _frame_size(version, layer, kbits, RATES[version][rate], head >> 9 & 1)
    kind = (version, layer, RATES[version][rate], head >> 6 & 3 == MONO)
    return _Frame(start, kind, size)


def _frame_size(version: int, layer: int, kbits: int, sample_rate: int, padding: int) -> int:
    if layer == 1:
        return 4 * (12_000 * kbits // sample_rate + padding)
    slots = 72_000 if layer == 3 and version != V1 else 144_000
    return slots * kbits // sample_rate + padding


def _count(encoded: bytes, frame: _Frame) -> int | None:
    """Return how many frames follow one that holds a count (0: not said); `None` for sound."""
    at = frame.start + frame.count_at
    if frame.kind[1] != 3 or encoded[at : at + 4] not in {b"Xing", b"Info"}:
        return None
    has_count = encoded[at + 7] & 1
    return int.from_bytes(encoded[at + 8 : at + 12], "big") if has_count else 0


def _count_frame(encoded: bytes, frames: list[_Frame]) -> bytes:
    """Return a frame without sound that says how many follow; nothing where none can be said."""
    if frames[0].kind[1] != 3:
        return b""
    first = frames[0]
    head = int.from_bytes(encoded[first.start : first.start + 4], "big")
    head = head & ~(15 << 12 | 1 << 9) | LARGEST << 12 | 1 << 16  # no padding, no checksum
    made = head.to_bytes(4, "big")
    size = (_frame(made, 0) or first).size
    count = b"Info" + (1).to_bytes(4, "big") + len(frames).to_bytes(4, "big")
    return (made.ljust(first.count_at, b"\0") + count).ljust(size, b"\0")

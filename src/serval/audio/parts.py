"""Encoded bytes -> the sounds that lie in them, one behind the other.

Sources: FLAC is RFC 9639, sections 8.1 and 8.2: `fLaC`, then STREAMINFO of 34 bytes, whose total
number of samples is the lower 36 bits of its bytes 10 to 17. Ogg is RFC 3533, sections 4 (chaining)
and 6 (the flags in byte 5, the table from byte 27 on): links of a chain, each a sound of its own,
each ended by a page that is marked as last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from serval.audio import ffmpeg, libsndfile
from serval.audio.encoded import UNKNOWN_FROM, Part
from serval.audio.kinds import container_of
from serval.audio.mpeg import begins_mpeg, behind_id3, mpeg_parts
from serval.audio.sizes import sized_parts
from serval.errors import AudioError, TruncatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PARTS = 1_000
"""A clip of more is no clip, and each costs a decoder."""


BEGINNINGS = {
    demuxer: re.compile(pattern, re.DOTALL)
    for demuxer, pattern in {
        "mov": rb"\0\0[\0\x01].ftyp(M4[ABV] |isom|iso\d|mp4\d|qt  |3g[p2]|dash|MSNV|avc1|f4v )",
        "matroska": rb"\x1a\x45\xdf\xa3[\x01-\xff].{0,7}?\x42[\x82\x86]",
        "asf": rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",
        "amr": rb"#!AMR(-WB)?\n",
    }.items()
}
"""How files begin of which FFmpeg decodes no more than the first: enough bytes to be no chance."""


def parts_of(encoded: bytes) -> list[Part]:
    """Return the sounds of a file; the file itself where nothing is known of its format.

    Raises:
        AudioError: It is of a kind that cannot be decoded here.
        TruncatedError: It ends before it should.
    """
    parts = _parts(_without_tags(encoded))
    if len(parts) > MOST_PARTS:
        raise AudioError(f"{len(parts)} files joined end to end; up to {MOST_PARTS} are read")
    return parts or [Part(encoded=encoded)]


def _parts(encoded: bytes) -> list[Part]:
    container = container_of(encoded)
    if container:
        if not ffmpeg.is_installed():
            raise AudioError(f"not decodable as audio: {container.name}; {container.remedy}")
        return _container_parts(encoded, container.demuxer)
    if encoded.startswith(b"fLaC"):
        return flac_parts(encoded)
    if encoded.startswith(b"OggS"):
        return ogg_parts(encoded)
    if begins_mpeg(encoded):
        return mpeg_parts(encoded)
    sized = sized_parts(encoded)
    return sized or ([] if libsndfile.frames_of(encoded) else mpeg_parts(encoded))


def _without_tags(encoded: bytes) -> bytes:
    """Return the file without an ID3 tag before and behind it, which any format may have."""
    end = len(encoded) - 128
    return encoded[behind_id3(encoded) : end if encoded.startswith(b"TAG", max(end, 0)) else None]


def _container_parts(encoded: bytes, demuxer: str) -> list[Part]:
    found = BEGINNINGS[demuxer].finditer(encoded, 1) if demuxer in BEGINNINGS else ()
    bounds = [0, *(beginning.start() for beginning in found), len(encoded)]
    return [Part(encoded=encoded[a:b], demuxer=demuxer) for a, b in pairwise(bounds)]


START = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")

TOTAL = slice(18, 26)
"""Where the 8 bytes lie whose lower 36 bits are the length."""


def flac_parts(encoded: bytes) -> list[Part]:
    """Return the FLAC files that lie one behind the other; none where no header is whole."""
    starts = [found.start() for found in START.finditer(encoded)]
    return [_flac_part(encoded[a:b]) for a, b in pairwise([*starts, len(encoded)])]


def _flac_part(encoded: bytes) -> Part:
    """Return a file that is read to its end whatever it promises.

    Only where that fails, as it does before bytes that are no FLAC, it is read as promised.
    """
    field = int.from_bytes(encoded[TOTAL], "big")
    total = field & (2**36 - 1)
    believed = 0 < total < UNKNOWN_FROM
    return Part(
        encoded=encoded[: TOTAL.start] + (field - total).to_bytes(8, "big") + encoded[TOTAL.stop :],
        promised=total if believed else 0,
        otherwise=encoded if believed else b"",
    )


PAGE = 27
"""Bytes of a page before its table of segments."""

SOUNDS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
"""With what the first page of a stream of sound begins, by its codec."""

FIRST, LAST = 2, 4
"""Flags of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    start: int
    body: int
    end: int
    flags: int


def ogg_parts(encoded: bytes) -> list[Part]:
    """Return the links of an Ogg chain.

    Raises:
        TruncatedError: A link ends within a page, or without its last page.
    """
    return [_ogg_part(encoded, link) for link in _links(encoded)]


def _ogg_part(encoded: bytes, link: list[_Page]) -> Part:
    last = link[-1]
    if not last.flags & LAST or last.end > len(encoded):
        raise TruncatedError("truncated: the Ogg stream stops before its last page")
    streams = sum(_begins_sound(encoded, page) for page in link)
    return Part(encoded=encoded[link[0].start : last.end], streams=max(1, streams))


def _begins_sound(encoded: bytes, page: _Page) -> bool:
    return bool(page.flags & FIRST) and encoded.startswith(SOUNDS, page.body)


def _links(encoded: bytes) -> list[list[_Page]]:
    """Return the pages of each link, which begins with one or more pages marked as first."""
    links: list[list[_Page]] = [[]]
    for page in _pages(encoded):
        if page.flags & FIRST and links[-1] and not links[-1][-1].flags & FIRST:
            links.append([])
        links[-1].append(page)
    return links


def _pages(encoded: bytes) -> Iterator[_Page]:
    """Yield the pages; the last one may end behind the end of the file."""
    start = encoded.find(b"OggS")
    while start >= 0:
        page = _page(encoded, start)
        yield page
        start = encoded.find(b"OggS", page.end)


def _page(encoded: bytes, start: int) -> _Page:
    head = encoded[start : start + PAGE].ljust(PAGE, b"\xff")  # cut off: as long as can be
    table = encoded[start + PAGE : start + PAGE + head[-1]]
    body = start + PAGE + head[-1]
    return _Page(start=start, body=body, end=body + sum(table), flags=head[5])

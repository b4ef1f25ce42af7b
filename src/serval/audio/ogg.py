"""Ogg: links of a chain, each a sound of its own, each ended by a page that is marked as last.

Source: RFC 3533, sections 4 (chaining) and 6 (the flags in byte 5, the table from byte 27 on).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.audio.part import Part
from serval.errors import TruncatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ogg_parts"]

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
    return [_part(encoded, link) for link in _links(encoded)]


def _part(encoded: bytes, link: list[_Page]) -> Part:
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

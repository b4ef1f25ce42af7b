"""FLAC: its length may be unknown or wrong, and files may be joined.

Source: RFC 9639, sections 8.1 and 8.2: `fLaC`, then STREAMINFO of 34 bytes, whose total number of
samples is the lower 36 bits of its bytes 10 to 17.
"""

from __future__ import annotations

import re
from itertools import pairwise

from serval.audio.limits import UNKNOWN_FROM
from serval.audio.part import Part

__all__ = ["flac_parts"]

START = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")

TOTAL = slice(18, 26)
"""Where the 8 bytes lie whose lower 36 bits are the length."""


def flac_parts(encoded: bytes) -> list[Part]:
    """Return the FLAC files that lie one behind the other; none where no header is whole."""
    starts = [found.start() for found in START.finditer(encoded)]
    return [_part(encoded[a:b]) for a, b in pairwise([*starts, len(encoded)])]


def _part(encoded: bytes) -> Part:
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

"""Encoded bytes -> the sounds that lie in them, one behind the other."""

from __future__ import annotations

import re
from itertools import pairwise

from serval.audio import ffmpeg, libsndfile
from serval.audio.flac import flac_parts
from serval.audio.kinds import container_of
from serval.audio.mpeg import begins_mpeg, behind_id3, mpeg_parts
from serval.audio.ogg import ogg_parts
from serval.audio.part import Part
from serval.audio.sizes import sized_parts
from serval.errors import AudioError

__all__ = ["parts_of"]

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

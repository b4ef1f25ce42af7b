"""What bytes are by how they begin, and what to do with those that libsndfile does not decode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from serval.audio import ffmpeg
from serval.wording import printable

CONVERT = "to read it: pip install 'serval-ser[av]', or convert it: ffmpeg -i CLIP -ac 1 CLIP.wav"

UNPACK = "unpack it and name the sound files in it"

FETCH_AGAIN = "download it again, signed in if the site asks for it"


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: With its article.
        remedy: What to do about it.
        demuxer: Its name in FFmpeg, if it holds sound.
    """

    name: str
    remedy: str = CONVERT
    demuxer: str = ""


def _sounds(*rows: tuple[bytes, str, str]) -> dict[re.Pattern[bytes], FileKind]:
    """Return how files with sound begin -> their kind, from pattern, name and demuxer."""
    return {re.compile(p, re.DOTALL): FileKind(name, demuxer=of) for p, name, of in rows}


def _others(*rows: tuple[bytes, str, str]) -> dict[re.Pattern[bytes], FileKind]:
    """Return how other files begin -> their kind, from pattern, name and remedy."""
    return {re.compile(p, re.DOTALL): FileKind(name, remedy) for p, name, remedy in rows}


CONTAINERS = _sounds(
    (rb".{4}(ftyp|moov|mdat|wide|free|skip|styp|moof|sidx)", "an MP4 or M4A file", "mov"),
    (rb"\x1a\x45\xdf\xa3", "a WebM or Matroska file", "matroska"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMA (ASF) file", "asf"),
    (rb"#!AMR(-WB)?\n", "an AMR file", "amr"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "an AAC (ADTS) file", "aac"),
    (rb"ADIF", "an AAC (ADIF) file", "aac"),
    (rb"\x56[\xe0-\xff]", "an AAC (LATM) file", "loas"),
    (rb"FLV\x01", "a Flash video", "flv"),
    (rb"wvpk", "a WavPack file", "wv"),
    (rb"MAC ", "a Monkey's Audio file", "ape"),
    (rb"TTA1", "a True Audio file", "tta"),
    (rb"MPCK", "a Musepack file", "mpc8"),
    (rb"MP\+", "a Musepack file", "mpc"),
    (rb"\x0b\x77", "an AC-3 file", "ac3"),
    (rb"\.RMF|\.ra\xfd", "a RealAudio file", "rm"),
    (rb"DSD ", "a DSD file", "dsf"),
    (rb"RIFF.{4}AVI ", "an AVI video", "avi"),
    (rb"\x00\x00\x01\xba", "an MPEG video", "mpeg"),
)
"""Files with sound that libsndfile does not read."""

ODD_CODECS = _sounds(
    (rb"(RIFF|RF64|BW64).{4}WAVE", "a WAV file whose codec is not known", "wav"),
    (rb"FORM.{4}AIFC", "an AIFF-C file whose codec is not known", "aiff"),
    (rb"caff", "a CAF file whose codec is not known", "caf"),
    (rb"OggS", "an Ogg file whose codec is not known", "ogg"),
)
"""Containers that libsndfile reads, but not with every codec."""

OTHERS = _others(
    (
        rb"version https://git-lfs\.",
        "a pointer of git-lfs, not the file",
        "fetch the files with: git lfs pull",
    ),
    (
        rb"(\.\./)*(\.git)?/annex/objects/",
        "a pointer of git-annex, not the file",
        "fetch the files with: git annex get",
    ),
    (
        rb"(?i)(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b",
        "an HTML page, such as the login page of a web site",
        FETCH_AGAIN,
    ),
    (rb"<\?xml|<Error>", "XML text, such as the error of a server", FETCH_AGAIN),
    (rb"\{\s*[\"}]|\[\s*[\[{\"\]\d-]", "JSON text, such as the error of a server", FETCH_AGAIN),
    (rb"PK(\x03\x04|\x05\x06)", "a ZIP archive", UNPACK),
    (rb"\x1f\x8b", "a gzip archive", UNPACK),
    (rb"BZh\d", "a bzip2 archive", UNPACK),
    (rb"\xfd7zXZ\0", "an xz archive", UNPACK),
    (rb"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (rb"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (rb".{257}ustar", "a tar archive", UNPACK),
    (rb"%PDF-", "a PDF document", "name the sound file in its place"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP", "a picture", "name the sound file in its place"),
    (rb"MThd|RIFF.{4}RMID", "a MIDI file: notes, no sound", "render it to WAV first"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text", "name the sound file in its place"),
    (rb"PAR1", "a parquet file", "give it as the dataset: -d FILE.parquet"),
    (rb"\x93NUMPY", "a NumPy array", "write its samples to WAV first"),
    (rb"\x89HDF\r\n", "an HDF5 file", "write its samples to WAV first"),
    (rb"SQLite format 3", "an SQLite database", "write its sounds to files first"),
    (
        rb"(data:audio/|(UklGR|SUQz|T2dnUw|ZkxhQ|//[stuv]))[\w+/=;,-]{20,}",
        "Base64 text",
        "decode it first: base64 -d",
    ),
    (
        rb"\0{512}",
        "nothing but zeros where its header should be",
        "copy it again: such files come from a copy that did not end",
    ),
)
"""What lies in a sound file's place without being one."""

BASIC_SUFFIXES = (
    "wav", "wave", "flac", "mp3", "mp2", "mpga", "ogg", "oga", "opus", "aif", "aiff", "aifc", "au",
    "snd", "caf", "w64", "rf64", "voc", "sph", "nist", "svx", "8svx", "avr", "htk",
    "sf", "ircam", "paf", "pvf",
)  # fmt: skip
FFMPEG_SUFFIXES = (
    "m4a", "mp4", "m4b", "mov", "3gp", "3g2", "webm", "mka", "mkv", "weba", "wma", "asf", "wmv",
    "amr", "awb", "aac", "flv", "wv", "ape", "tta", "mpc", "ac3", "ra", "rm", "dsf", "avi", "mpg",
    "spx",
)  # fmt: skip
OTHER_SUFFIXES = ("dss", "gsm", "m4v", "mpeg", "pcm", "raw")
"""Sound as well, of which neither reads every file: raw samples say nothing of themselves."""


def decodable_suffixes() -> frozenset[str]:
    """Return the suffixes of files that can be decoded here and now: `.wav`, with PyAV `.m4a`.

    A suffix is only what people call a file: what it is is found from its content.
    """
    suffixes = BASIC_SUFFIXES + (FFMPEG_SUFFIXES if ffmpeg.is_installed() else ())
    return frozenset(f".{suffix}" for suffix in suffixes)


@cache
def sound_suffixes() -> frozenset[str]:
    """Return the suffixes of files with sound in them, whether or not they can be decoded here."""
    every = (*BASIC_SUFFIXES, *FFMPEG_SUFFIXES, *OTHER_SUFFIXES)
    return frozenset(f".{suffix}" for suffix in every)


def container_of(encoded: bytes) -> FileKind | None:
    """Return what a file with sound is that libsndfile does not read."""
    return _first(CONTAINERS, encoded)


def demuxer_of(encoded: bytes) -> str:
    """Return FFmpeg's name for a file whose codec libsndfile does not know, or `""`."""
    kind = _first(ODD_CODECS, encoded)
    return kind.demuxer if kind else ""


def not_audio(encoded: bytes) -> str:
    """Return what bytes are that are no sound, and what to do; `""` where that is not known."""
    text = encoded[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    for kind in (_first(OTHERS, encoded), _first(OTHERS, text), _first(ODD_CODECS, encoded)):
        if kind:
            return f"{kind.name}; {kind.remedy}"
    beginning = _text(encoded[:64])
    if beginning:
        return f"plain text ({printable(repr(beginning))}); name the sound file in its place"
    return ""


def _first(kinds: dict[re.Pattern[bytes], FileKind], encoded: bytes) -> FileKind | None:
    return next((kind for pattern, kind in kinds.items() if pattern.match(encoded)), None)


def _text(encoded: bytes) -> str:
    """Return the first line, where it reads as text."""
    try:
        text = encoded.decode("utf-8", "strict" if len(encoded) < 64 else "ignore").strip()
    except UnicodeDecodeError:
        return ""
    first = text.splitlines()[0] if text else ""
    return first[:40] if len(first) > 3 and first.isprintable() else ""

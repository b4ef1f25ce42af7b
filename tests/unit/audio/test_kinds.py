"""What is no sound is named, with what to do about it."""

import base64

import pytest

from build import encoded, voice
from serval.audio import decodable_suffixes, decode
from serval.errors import AudioError

NOT_AUDIO = [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:1f\nsize 9\n", "git lfs pull"),
    (b"/annex/objects/SHA256E-s10--ab.wav\n", "git annex get"),
    (b"\n <!DOCTYPE html>\n<html><title>Sign in</title>", "HTML page.*signed in"),
    (b"<html lang='en'>", "HTML page"),
    (b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "XML text"),
    (b'{"error": "Repository not found"}', "JSON text, such as the error of a server"),
    (b"[0.1, 0.25, -0.3]", "JSON text"),
    (b"PK\x03\x04" + bytes(30), "ZIP archive; unpack"),
    (b"\x1f\x8b\x08" + bytes(30), "gzip archive; unpack"),
    (b"clip.wav" + bytes(249) + b"ustar\x0000", "tar archive; unpack"),
    (b"%PDF-1.7\n", "PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"MThd\0\0\0\x06", "MIDI file: notes, no sound"),
    (b"PAR1" + bytes(20), "parquet file.*-d FILE.parquet"),
    (b"\x93NUMPY\x01\0", "NumPy array"),
    (base64.b64encode(encoded(voice())), "Base64 text"),
    (b"data:audio/wav;base64," + base64.b64encode(encoded(voice())), "Base64 text"),
    (b"404: Not Found", r"plain text \('404: Not Found'\)"),
    (bytes(4000), "nothing but zeros where its header should be"),
    ("angry,1.wav\n".encode("utf-16"), "UTF-16 text"),
]


@pytest.mark.parametrize(("content", "reason"), NOT_AUDIO, ids=[r for _, r in NOT_AUDIO])
def test_what_is_no_sound_is_named(content, reason, capfd):
    with pytest.raises(AudioError, match=f"not decodable as audio: .*{reason}") as caught:
        decode(content, 16_000)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


CONTAINERS = [
    (b"\0\0\0\x20ftypM4A \0\0\0\0", "an MP4 or M4A file"),
    (b"\x1a\x45\xdf\xa3\x01\0\0\0", "a WebM or Matroska file"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "a WMA"),
    (b"#!AMR\n\x3c", "an AMR file"),
    (b"#!AMR-WB\n\x3c", "an AMR file"),
    (b"\xff\xf1\x50\x80\x03\x1f\xfc", "an AAC"),
    (b"ID3\x04\0\0\0\0\0\x04abcd\xff\xf1\x50\x80\x03\x1f\xfc", "an AAC"),
]


@pytest.mark.parametrize(("content", "name"), CONTAINERS, ids=[n for _, n in CONTAINERS])
def test_without_pyav_a_container_says_how_to_read_it(content, name, monkeypatch):
    monkeypatch.setattr("serval.audio.ffmpeg.find_spec", lambda name: None)
    with pytest.raises(AudioError, match=f"{name}.*pip install 'serval-ser\\[av\\]'.*ffmpeg -i"):
        decode(content, 16_000)


def test_the_suffixes_depend_on_what_is_installed(monkeypatch):
    assert {".wav", ".mp3", ".flac", ".m4a", ".webm", ".wma", ".amr"} <= decodable_suffixes()
    monkeypatch.setattr("serval.audio.ffmpeg.find_spec", lambda name: None)
    assert {".wav", ".mp3", ".opus"} <= decodable_suffixes()
    assert not {".m4a", ".webm", ".mp4", ".wma", ".amr", ".aac"} & decodable_suffixes()

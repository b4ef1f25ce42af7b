"""Only regular files of a size that a clip can have are read, and nothing is waited for."""

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from build import encoded, voice
from serval.audio import encoded_bytes
from serval.audio.encoded import LARGEST_BYTES
from serval.errors import AudioError


def test_a_link_to_a_file_is_read(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(voice()))
    (tmp_path / "b.wav").symlink_to("a.wav")
    assert encoded_bytes(tmp_path / "b.wav") == encoded(voice())


def refused(path):
    with pytest.raises(AudioError) as caught:
        encoded_bytes(path)
    return str(caught.value)


def test_a_pipe_that_nobody_writes_into_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert refused(tmp_path / "a.wav").endswith("a named pipe; clips are read from regular files")


def test_devices_sockets_and_folders_are_refused(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.wav"))
        assert "it is a socket" in refused(tmp_path / "s.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    assert "it is a device" in refused(tmp_path / "zero.wav")
    assert "it is a folder" in refused(tmp_path)


def test_a_file_without_end_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.wav").open("wb") as file:
        file.truncate(100 * LARGEST_BYTES)
    assert "larger than 1024 MiB" in refused(tmp_path / "a.wav")


def test_what_cannot_be_a_name_is_refused():
    assert "cannot be the name of a file" in refused(Path("a\0b.wav"))
    assert "File name too long" in refused(Path("a" * 300))


def test_a_small_file_costs_no_more_memory_than_it_holds(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(voice()))
    tracemalloc.start()
    try:
        encoded_bytes(tmp_path / "a.wav")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="files of Linux")
def test_a_file_that_holds_more_than_it_says_is_read_to_its_end():
    assert encoded_bytes(Path("/proc/self/status")).endswith(b"\n")

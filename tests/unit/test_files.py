import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import process_environment
from serval.errors import ConfigError, WriteError
from serval.files import (
    is_file,
    is_folder,
    refuse_odd_place,
    scratch_folder,
    sha256_of,
    whole_file,
    whole_files,
    write_text,
)


def test_a_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as part:
        part.write_text("x")
        assert not path.exists()
        assert part.suffix == ".txt"
    assert path.read_text() == "x"


def test_a_failed_write_keeps_what_was_there(tmp_path):
    path = write_text(tmp_path / "a.json", "old\n")

    def fail_half_way():
        with whole_file(path) as part:
            part.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WriteError, match=r"cannot write .*a\.json: No space left on device; "):
        fail_half_way()
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_text_keeps_its_line_ends(tmp_path):
    assert write_text(tmp_path / "a", "ü\n").read_bytes() == b"\xc3\xbc\n"


def test_sha256_is_that_of_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_files_that_belong_together_appear_together(tmp_path):
    path = tmp_path / "new" / "m.onnx"
    with whole_files(path) as part:
        part.write_text("graph")
        part.with_name("m.onnx.data").write_text("weights")
        assert part.name == path.name
        assert not path.exists()
    assert sorted(p.name for p in path.parent.iterdir()) == ["m.onnx", "m.onnx.data"]


def test_a_failed_write_of_several_leaves_nothing(tmp_path):
    def fail_half_way():
        with whole_files(tmp_path / "m.onnx") as part:
            part.with_name("m.onnx.data").write_text("weights")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WriteError, match=r"cannot write .*m\.onnx: No space left on device; "):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match=r"cannot write .*choose another place"):
        write_text(tmp_path / "taken" / "a.txt", "x")


def test_a_file_that_is_a_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (Path(), tmp_path):
        with pytest.raises(WriteError, match=r"cannot write .*: it is a folder; choose another"):
            write_text(place, "page")


def test_half_a_character_is_an_escape_that_json_reads(tmp_path):
    path = write_text(tmp_path / "a.json", json.dumps("ä\udce9", ensure_ascii=False))
    assert json.loads(path.read_text(encoding="utf-8")) == "ä\udce9"


GONE = "import os, sys, serval.files as f; from pathlib import Path\n"


def killed(folder, code):
    """Run code in a process that ends without cleaning up after itself."""
    script = f"{GONE}folder = Path({str(folder)!r})\n{code}\nos._exit(9)"
    done = subprocess.run([sys.executable, "-c", script], env=process_environment(), check=False)
    assert done.returncode == 9


@pytest.fixture
def leftovers(tmp_path):
    """What a killed process left: a picture, a model's folder, and scratch."""
    killed(
        tmp_path,
        "a = f.whole_file(folder / 'a.png'); a.__enter__().write_bytes(b'half')\n"
        "b = f.whole_files(folder / 'm.onnx'); b.__enter__().write_bytes(b'half')\n"
        "c = f.scratch_folder(folder); (c.__enter__() / 'x').write_bytes(b'half')",
    )
    assert len(list(tmp_path.iterdir())) == 3
    return tmp_path


@pytest.mark.parametrize("write", [
    lambda folder: write_text(folder / "a.json", "x"),
    lambda folder: write_files(folder / "m.onnx"),
    lambda folder: scratch(folder),
])  # fmt: skip
def test_the_next_writer_removes_what_killed_ones_left(leftovers, write):
    write(leftovers)
    assert {path.name for path in leftovers.iterdir()} <= {"a.json", "m.onnx"}


def write_files(path):
    with whole_files(path) as part:
        part.write_text("graph")


def scratch(folder):
    with scratch_folder(folder) as part:
        (part / "x").write_text("x")
        assert part.parent == folder


def test_what_may_still_be_of_use_stays(tmp_path, leftovers):
    (theirs,) = leftovers.glob("*a.png")
    kept = [
        theirs.with_name(re.sub(r"(?<=serval-)[0-9a-f]{8}", "00000000", theirs.name)),
        tmp_path / ".a-1234.png",
        tmp_path / ".serval-notes",
        tmp_path / ".serval-cache",
    ]
    for path in kept:
        path.write_bytes(b"of another machine, or of another program")
    with scratch_folder(tmp_path) as mine, whole_file(tmp_path / "b.txt") as part:
        part.write_text("mine")
        remove_in_another_process(tmp_path)
        assert mine.is_dir()
        assert part.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"b.txt", *(path.name for path in kept)}


def remove_in_another_process(folder):
    code = f"{GONE}f.remove_orphans(Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], env=process_environment(), check=True)


def test_a_number_that_another_process_was_given_is_no_owner(tmp_path):
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("x")
        earlier = re.sub(r"-[0-9]{9,}-", "-1000000000-", part.name)
        (tmp_path / earlier).write_text("of a process before the machine was started anew")
        remove_in_another_process(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [part.name]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_with_such_a_name_is_not_followed(tmp_path, leftovers):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "precious").write_text("mine")
    (folder,) = leftovers.glob("*m.onnx")
    link = folder.with_name(f"{folder.name}-2")
    link.symlink_to(tmp_path / "sub")
    remove_in_another_process(tmp_path)
    assert link.is_symlink()
    assert (tmp_path / "sub" / "precious").read_text() == "mine"


def test_the_longest_names_can_be_written(tmp_path):
    path = tmp_path / f"{'ä' * 125}.json"
    assert write_text(path, "x").read_text() == "x"


@pytest.mark.parametrize("place", ["", " ", "a\udcff", "a\0b"])
def test_a_place_that_cannot_be_written_to_is_refused(place):
    with pytest.raises(ConfigError, match=r"--output .*; (name|choose)"):
        refuse_odd_place("--output", place)
    refuse_odd_place("--output", "Größe & ünï 'q'")


@pytest.mark.parametrize("text", ["x" * 300, "x" * 5000, "nul\0", "\ud800", "~" * 256, ""])
def test_any_text_may_be_asked_whether_it_is_a_path(text):
    assert not is_file(text)
    assert not is_folder(text)


def test_a_file_is_a_file_and_a_folder_a_folder(tmp_path):
    file = tmp_path / "a"
    file.touch()
    assert [is_file(file), is_folder(file), is_file(tmp_path), is_folder(tmp_path)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert not is_file("/dev/zero")

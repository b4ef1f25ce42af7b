import errno
import hashlib
import json

import pytest

from serval.errors import WriteError
from serval.files import is_file, is_folder, sha256_of, whole_file, whole_files, write_text


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


def test_half_a_character_is_an_escape_that_json_reads(tmp_path):
    path = write_text(tmp_path / "a.json", json.dumps("ä\udce9", ensure_ascii=False))
    assert json.loads(path.read_text(encoding="utf-8")) == "ä\udce9"


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

import hashlib
import io
import tarfile

import pytest

from build import classifier, labels_metadata
from serval.errors import ConfigError
from serval.web import WebOptions, write_site
from serval.web.site import CHECKSUMS, webgpu_files
from webgpu import CONTENT, package_of


@pytest.fixture
def package(tmp_path, monkeypatch):
    return package_of(tmp_path / "onnxruntime-web.tgz", monkeypatch)


def test_the_three_files_come_out_of_the_package(package):
    assert webgpu_files(package) == dict.fromkeys(CHECKSUMS, CONTENT)


def test_they_stand_beside_the_runtime_and_are_not_loaded_before_the_first_answer(
    package, model_file, tmp_path
):
    alone = write_site([str(model_file)], tmp_path / "plain", WebOptions(clips=3))
    site = write_site([str(model_file)], tmp_path / "gpu", WebOptions(clips=3, webgpu=package))
    assert (site.folder / "vendor" / "ort.webgpu.min.mjs").read_bytes() == CONTENT
    assert '"webgpu": true' in (site.folder / "site.json").read_text("utf-8")
    assert '"webgpu": false' in (alone.folder / "site.json").read_text("utf-8")
    assert site.first_mb == pytest.approx(alone.first_mb)
    vendor = alone.folder / "vendor"
    runtime = sum(file.stat().st_size for file in vendor.glob("ort*"))
    others = alone.first_mb - runtime / 1e6
    assert site.gpu_mb == pytest.approx(others + 3 * len(CONTENT) / 1e6)


def test_what_is_not_that_package_is_told_with_the_command_that_fetches_it(package, tmp_path):
    missing = tmp_path / "none.tgz"
    with pytest.raises(ConfigError, match=r"No such file or directory\); fetch the package once: "):
        webgpu_files(missing)
    package.write_bytes(package.read_bytes()[:100])
    with pytest.raises(
        ConfigError, match=r"cannot be read \(damaged\).*npm pack onnxruntime-web@1"
    ):
        webgpu_files(package)
    with tarfile.open(package, "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("package/package.json"), io.BytesIO())
    with pytest.raises(ConfigError, match=r"cannot be read \(damaged\)"):
        webgpu_files(package)


def test_a_file_with_another_checksum_is_refused(tmp_path, monkeypatch):
    package = package_of(tmp_path / "other.tgz", monkeypatch)
    other = dict.fromkeys(CHECKSUMS, hashlib.sha256(b"another version").hexdigest())
    monkeypatch.setattr("serval.web.site.CHECKSUMS", other)
    with pytest.raises(
        ConfigError, match=r"holds another ort\.webgpu\.min\.mjs; fetch the package"
    ):
        webgpu_files(package)


def test_it_is_refused_before_anything_is_written(tmp_path):
    path = classifier(tmp_path / "emo.onnx", metadata=labels_metadata())
    with pytest.raises(ConfigError, match=r"none\.tgz cannot be read"):
        write_site([str(path)], tmp_path / "site", WebOptions(webgpu=tmp_path / "none.tgz"))
    assert not (tmp_path / "site").exists()

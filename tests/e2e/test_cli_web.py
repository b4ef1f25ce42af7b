import threading
import urllib.request

import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic

from serval.web import SiteServer


def test_a_folder_is_written_and_named(serval, model_file, tmp_path):
    done = serval("web", model_file, "-o", "site", "--parity-clips", 3)
    assert (done.returncode, done.stdout) == (0, "site\n")
    assert "MB of them before the first answer" in done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    assert 'python -m http.server --bind 127.0.0.1 --directory "site"' in done.stderr


def test_a_model_may_be_named_as_in_other_commands(serval, model_file, tmp_path):
    done = serval("web", "-m", model_file, "-o", "site", "--parity-clips", 3)
    assert done.returncode == 0, done.stderr
    assert "<title>emo: the" in (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "[MODEL]..." in serval("web", "--help").stdout


@pytest.mark.filterwarnings("ignore")
def test_a_default_dynamic_file_is_refused_with_the_command_that_makes_one_that_runs(
    serval, model_file, tmp_path
):
    quantize_dynamic(model_file, tmp_path / "dynamic.onnx", weight_type=QuantType.QInt8)
    done = serval("web", "dynamic.onnx", "-o", "site")
    assert done.returncode == 2
    assert done.stderr.startswith("serval: dynamic.onnx has ConvInteger with signed weights")
    assert "serval quantize FP32_FILE -o NEW_FILE --target web" in done.stderr
    assert not (tmp_path / "site").exists()


def test_it_wants_a_place(serval, model_file):
    done = serval("web", model_file)
    assert done.returncode == 2
    assert "name a folder with --output, or --serve" in done.stderr
    done = serval("web", model_file, "-o", "site", "--port", "9000")
    assert (done.returncode, "--port is of --serve" in done.stderr) == (2, True)


def test_it_serves_until_it_is_told_to_stop(serval, model_file, monkeypatch):
    seen = {}

    def serve(server):
        thread = threading.Thread(target=super(SiteServer, server).serve_forever, args=(0.02,))
        thread.start()
        with urllib.request.urlopen(server.address, timeout=10) as answer:
            seen["page"] = answer.read().decode()
        server.shutdown()
        thread.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(SiteServer, "serve_forever", serve)
    done = serval("web", model_file, "--serve", "--port", 0, "--parity-clips", 3)
    assert done.returncode == 130
    assert "http://127.0.0.1:" in done.stdout
    assert "<title>emo: the emotion in a voice</title>" in seen["page"]

import threading
from http.client import HTTPConnection

import pytest

from serval.errors import ConfigError
from serval.web import SiteServer


@pytest.fixture
def server(tmp_path):
    site = tmp_path / "site"
    (site / "models").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    for name in ("index.html", "main.js", "runtime.mjs", "runtime.wasm", "clip.flac"):
        (site / name).write_bytes(b"content")
    with SiteServer(site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def answer(server, path="/", host=None):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_it_isolates_the_page(server):
    response, body = answer(server)
    assert (response.status, body) == (200, b"content")
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("main.js", "text/javascript"), ("runtime.mjs", "text/javascript"),
     ("runtime.wasm", "application/wasm"), ("clip.flac", "audio/flac")],
)  # fmt: skip
def test_each_file_has_the_type_that_browsers_want(server, name, kind):
    assert answer(server, f"/{name}")[0].headers["Content-Type"] == kind


@pytest.mark.parametrize("path", ["/models/", "/../secret.txt", "/%2e%2e/secret.txt", "/none"])
def test_nothing_else_is_given(server, path):
    response, body = answer(server, path)
    assert response.status == 404
    assert b"secret" not in body


def test_who_comes_by_another_name_is_refused(server):
    assert answer(server, host=f"evil.example:{server.server_port}")[0].status == 403
    assert answer(server, host=f"localhost:{server.server_port}")[0].status == 200


def test_a_port_that_is_taken_is_told(server, tmp_path):
    with pytest.raises(ConfigError, match=f"--port {server.server_port} cannot be used"):
        SiteServer(tmp_path, server.server_port)
    with pytest.raises(ConfigError, match="--port 70000 cannot be used"):
        SiteServer(tmp_path, 70_000)

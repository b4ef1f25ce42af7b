"""What the hub's clients raise, without a hub."""

import errno
import functools

import pytest
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
)

import serval.hub
from serval.datasets.hub import hub_set
from serval.errors import AccessError, DatasetError, DatasetNotFoundError, ModelError, NetworkError
from serval.hub import Repo, Trouble, asking, keep, kept

SET = hub_set("org/set")


class Answer:
    """The part of an HTTP answer that the hub's errors look at."""

    def __init__(self, status):
        self.status_code = status
        self.headers = {}
        self.request = None


class TransportError(Exception):
    """Named as in httpx and httpx2."""


ReadTimeout = type("ReadTimeout", (TransportError,), {})
ConnectTimeout = type("ConnectTimeout", (TransportError,), {})


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(serval.hub, "WAITS_S", (0.0, 0.0))


class Call:
    """Raises the given errors one after the other, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.times = 0

    def __call__(self):
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def http(status, kind=HfHubHTTPError):
    return kind(f"status {status}", response=Answer(status))


@pytest.mark.parametrize(
    "error", [http(429), http(503), ReadTimeout(), OSError("Consistency check failed")]
)
def test_what_may_pass_is_tried_again(error):
    call = Call(error, error)
    assert asking(call, SET) == "answer"
    assert call.times == 3


@pytest.mark.parametrize("error", [ConnectTimeout(), http(404), http(403), ValueError("no")])
def test_what_will_not_pass_is_not_tried_again(error):
    call = Call(error)
    with pytest.raises(DatasetError):
        asking(call, SET)
    assert call.times == 1


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (http(403), AccessError, r"refuses access with this token \(403\); accept its terms on"),
        (http(502), NetworkError, "answers 502 again and again"),
        (http(404), DatasetNotFoundError, "org/set: no such public set on"),
        (http(404, RemoteEntryNotFoundError), DatasetNotFoundError, "lacks a file that it lists"),
        (OSError("Consistency check failed: 3"), NetworkError, "broke off; run the same command"),
        (ReadTimeout("slow"), NetworkError, r"cannot be reached; check the .*, ReadTimeout\)"),
        (ConnectionError("gone"), NetworkError, "cannot be reached"),
        (OSError(errno.ENOSPC, "full"), DatasetError, "does not fit on the disk .* set HF_HOME"),
        (PermissionError("/cache"), DatasetError, "cannot write to the cache .* set HF_HOME"),
        (ValueError("odd\nthing"), DatasetError, "cannot be opened: odd thing"),
    ],
)
def test_each_error_is_one_line_with_its_remedy(error, kind, message):
    with pytest.raises(kind, match=message) as caught:
        asking(Call(error, error, error), SET)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_the_reason_may_lie_behind_another_error():
    outer = RuntimeError("something went wrong")
    outer.__cause__ = http(401)
    with pytest.raises(AccessError, match=r"no such public set \(401\); check the spelling"):
        asking(Call(outer), SET)


def test_a_bug_keeps_its_traceback():
    with pytest.raises(KeyError, match="bug"):
        asking(Call(KeyError("bug")), SET)


def test_a_switch_is_named_only_where_it_is_set(monkeypatch):
    absent = LocalEntryNotFoundError("not here")
    with pytest.raises(NetworkError, match=r"not in the hub's .*; check the network") as caught:
        asking(Call(absent), SET)
    assert "OFFLINE" not in str(caught.value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv(name, "1")
        with pytest.raises(NetworkError, match=f"{name} is set; unset it"):
            asking(Call(OfflineModeIsEnabled("no")), SET)


def test_a_models_troubles_are_of_the_model_and_name_its_page():
    model = Repo(name="org/net", kind="model", errors=dict.fromkeys(Trouble, ModelError))
    with pytest.raises(ModelError, match=r"^hub model org/net: .* on https?://[^/]+/org/net, then"):
        asking(Call(http(403)), model)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 100_000])
def test_what_was_kept_comes_back_unless_somebody_spoilt_it(tmp_path, monkeypatch, content):
    own = functools.partial(serval.hub.cached_assets_path, assets_dir=tmp_path)
    monkeypatch.setattr(serval.hub, "cached_assets_path", own)
    keep(SET, "v1/x", {"files": ["a"]})
    assert kept(SET, "v1/x") == {"files": ["a"]}
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(content)
    assert kept(SET, "v1/x") is None
    assert kept(SET, "v2") is None

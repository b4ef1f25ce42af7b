"""What the hub's clients raise, without a hub."""

import errno

import pytest
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError

import serval.hub
from serval.datasets.hub import HubSet
from serval.errors import AccessError, DatasetError, DatasetNotFoundError, NetworkError
from serval.hub import asking

SET = HubSet(repo="org/set").asked


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
        (http(404), DatasetNotFoundError, "org/set does not exist on"),
        (http(404, RemoteEntryNotFoundError), DatasetNotFoundError, "lacks a file that it lists"),
        (OSError("Consistency check failed: 3"), NetworkError, "broke off; run the same command"),
        (ReadTimeout("slow"), NetworkError, r"cannot be reached \(ReadTimeout\); check the netw"),
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

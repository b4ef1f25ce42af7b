"""What is said when a model of the hub cannot be had."""

from types import SimpleNamespace

import pytest
from huggingface_hub import errors

from serval.errors import ModelError
from serval.models import hub


def answer(status):
    # Which client the hub's package uses, and so which response, depends on its version.
    return SimpleNamespace(status_code=status, headers={}, request=None)


CASES = {
    "gated": (errors.GatedRepoError("no", response=answer(403)), "is gated; accept its terms"),
    "revision": (errors.RevisionNotFoundError("no", response=answer(404)), "no revision 'v9'"),
    "unknown": (errors.RepositoryNotFoundError("no", response=answer(401)), "no such public model"),
    "name": (errors.HFValidationError("no"), "write hf:ORG/NAME"),
    "offline": (errors.LocalEntryNotFoundError("no"), "the hub cannot be reached"),
    "server": (
        errors.HfHubHTTPError("sorry,\nlater", response=answer(503)),
        "503 again and again; try",
    ),
    "disk": (OSError(28, "No space left"), "does not fit on the disk"),
}


@pytest.fixture
def failing(monkeypatch):
    def fail_with(error):
        def download(*_args, **_kwargs):
            raise error

        monkeypatch.setattr(hub, "snapshot_download", download)

    monkeypatch.setattr("serval.hub.WAITS_S", (0.0, 0.0))
    return fail_with


@pytest.mark.parametrize("case", CASES)
def test_each_trouble_is_one_line(case, failing):
    error, said = CASES[case]
    failing(error)
    with pytest.raises(ModelError, match=said) as raised:
        hub.hub_folder("hf:org/name", "v9", ["*.json"])
    assert str(raised.value).startswith("hub model org/name")
    assert "\n" not in str(raised.value)


def test_a_bug_keeps_its_own_error(failing):
    failing(KeyError("bug"))
    with pytest.raises(KeyError):
        hub.hub_folder("hf:org/name", None, ["*.json"])


def test_the_folder_and_the_commit_come_back(monkeypatch, tmp_path):
    asked = []

    def download(repo, **options):
        asked.append((repo, options))
        return str(tmp_path / "abc123")

    monkeypatch.setattr(hub, "snapshot_download", download)
    found = hub.hub_folder("hf:org/name", None, ("*.json",))
    assert found == (tmp_path / "abc123", "abc123")
    assert asked == [
        (
            "org/name",
            {"revision": None, "allow_patterns": ["*.json"], "ignore_patterns": None},
        )
    ]


def test_of_a_checkpoint_nothing_is_fetched_from_folders_within(monkeypatch, tmp_path):
    asked = []

    def download(_repo, **options):
        asked.append(options["ignore_patterns"])
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    hub.hub_checkpoint("hf:org/name")
    assert asked == [["*/*"], ["*/*"]]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("hf:superb/x", ("superb/x", None, "")),
        ("hf:superb/x@v1/onnx/m.onnx", ("superb/x", "v1", "onnx/m.onnx")),
        ("hf:superb/x@refs/pr/2", ("superb/x", "refs/pr/2", "")),
        ("hf:superb/x@refs/pr/2/onnx/m.onnx", ("superb/x", "refs/pr/2", "onnx/m.onnx")),
    ],
)
def test_a_name_may_have_a_revision_of_a_pull_request(name, parts):
    assert hub._parts(name) == parts

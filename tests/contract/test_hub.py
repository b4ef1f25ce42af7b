"""Hub sets through the real clients, in processes of their own, from a hub on 127.0.0.1.

The hub's client reads its `HF_...` variables when it is imported.
"""

import hashlib
import re

import pytest

from apart import apart
from conftest import process_environment
from contract.hub import Fault, Hub, Repo, serving
from contract.sets import (
    CODES,
    ROWS,
    audio_folder,
    audio_folder_with_one_list,
    csv_text,
    parquet_bytes,
    ssi_files,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hub")]

SSI = "stapesai/ssi-speech-emotion-recognition"
FIRST, SECOND, THIRD = (f"data/validation-{n:05d}-of-00003.parquet" for n in range(3))


@pytest.fixture
def hub():
    with serving(Hub()) as running:
        running.repos[SSI] = Repo(ssi_files(), card={"license": "cc-by-4.0"})
        yield running


@pytest.fixture
def home(tmp_path):
    return tmp_path / "hf home"


@pytest.fixture(scope="module")
def processes():
    ready = ("contract.observe", "serval.datasets.hub", "huggingface_hub.hf_api")
    again = ("contract", "serval", "huggingface_hub")
    with apart(process_environment(), ready, again) as calls:
        yield calls


@pytest.fixture
def ask(processes, hub, home, tmp_path):
    """Open sets in a new process whose hub is ours; each is (name, options)."""
    told = {
        "HF_HOME": home,
        "HF_ENDPOINT": hub.url,
        "HF_UPDATE_DOWNLOAD_COUNTS": 0,
        "HF_HUB_DISABLE_TELEMETRY": 1,
    }

    def run(*sets, env=None, shrink_waits=False, free_bytes=None):
        order = (sets, shrink_waits, free_bytes)
        known = told | (env or {})
        done = processes.call("contract.observe:observe_each", *order, cwd=tmp_path, **known)
        return done.value, done.stderr

    return run


def shards_fetched(hub):
    return sorted({name for name in hub.fetched() if name.endswith(".parquet")})


def sounds(seen):
    return [clip["audio"] for clip in seen["clips"]]


ALL_SOUNDS = [hashlib.sha256(row["sound"]).hexdigest() for row in ROWS]


def test_only_the_chosen_split_is_fetched_and_then_the_cache_serves(ask, hub, home):
    (first,), _ = ask(("ssi", {}))
    assert sounds(first) == ALL_SOUNDS
    assert shards_fetched(hub) == [FIRST, SECOND, THIRD]
    assert first["revision"] == hub.repos[SSI].commit
    assert first["label_map"]["ANG"] == "angry"
    assert len(first["label_map"]) == len(CODES)
    assert first["licence"] == "cc-by-4.0"
    assert "train" in first["caveats"][0]
    cache = home / "hub" / "datasets--stapesai--ssi-speech-emotion-recognition"
    # What the client keeps there is its own affair.
    assert not {path.name for path in cache.iterdir()} - {"blobs", "refs", "snapshots", ".no_exist"}

    hub.asked.clear()
    (again,), _ = ask(("ssi", {}))
    assert again == first
    assert len(hub.asked) == 1

    hub.asked.clear()
    (offline,), said = ask(("ssi", {}), env={"HF_HUB_OFFLINE": 1})
    assert offline == first
    assert (hub.asked, said) == ([], "")


def test_without_a_network_a_complete_cache_serves_and_says_so(ask, hub):
    (first,), _ = ask(("ssi", {}))
    dead = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    (again, other), said = ask(("ssi", {}), ("hf:org/other", {}), env=dead)
    assert again == first
    assert re.search(r"cannot be reached; going on with commit \w{12} from the cache", said)
    assert other["error"] == "NetworkError"
    assert re.search(r"org/other.*cannot be reached.*check the network", other["message"])


def test_a_limit_starts_with_the_first_file_alone(ask, hub):
    (seen,), _ = ask(("ssi", {"limit": 2}))
    assert sounds(seen) == ALL_SOUNDS[:2]
    assert shards_fetched(hub) == [FIRST]

    (offline, whole), _ = ask(("ssi", {"limit": 3}), ("ssi", {}), env={"HF_HUB_OFFLINE": 1})
    assert sounds(offline) == ALL_SOUNDS[:3]
    assert whole["error"] == "NetworkError"
    assert re.search("not in the hub's cache.*HF_HUB_OFFLINE is set; unset", whole["message"])


def test_a_download_that_breaks_off_goes_on_by_itself(ask, hub):
    hub.faults.append(Fault(f"GET .*{SECOND}", times=2, cut=700))
    (seen,), _ = ask(("ssi", {}), shrink_waits=True)
    assert sounds(seen) == ALL_SOUNDS
    assert hub.fetched().count(SECOND) == 3


def test_a_download_that_was_given_up_is_finished_by_the_next_call(ask, hub):
    hub.faults.append(Fault(f"GET .*{SECOND}", times=1000, status=500))
    (broken,), _ = ask(("ssi", {}), shrink_waits=True)
    assert broken["error"] == "NetworkError"
    assert re.search("answers 500 again and again; try later", broken["message"])

    hub.faults.clear()
    hub.asked.clear()
    (seen,), _ = ask(("ssi", {}))
    assert sounds(seen) == ALL_SOUNDS
    assert shards_fetched(hub) == [SECOND, THIRD]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_asked_again(ask, hub, status):
    hub.faults.append(Fault(f"GET /api/datasets/{SSI}$", status=status))
    hub.faults.append(Fault(f"GET .*{FIRST}", status=status, headers={"Retry-After": "0"}))
    (seen,), _ = ask(("ssi", {}), shrink_waits=True)
    assert sounds(seen) == ALL_SOUNDS


def test_each_trouble_is_one_line_with_its_remedy(ask, hub):
    files = ssi_files()
    hub.repos |= {
        "org/private": Repo(files, token="hf_secret"),
        "org/gated": Repo(files, token="hf_secret", gated=True),
        "org/codes": Repo({"codes.py": b"print()", "README.md": b"x"}),
        "org/archive": Repo({"data/validation-00000-of-00001.tar": b"x"}),
        "org/nothing": Repo({"README.md": b"# nothing"}),
        "org/renamed": Repo({"validation.parquet": parquet_bytes(emotion=None, mood=CODES)}),
        "org/changed": Repo(
            {
                "data/validation-00000-of-00002.parquet": parquet_bytes(ROWS[:2]),
                "data/validation-00001-of-00002.parquet": parquet_bytes(ROWS[:2], emotion=None),
            }
        ),
        "org/broken": Repo({"validation.parquet": b"no parquet"}),
        "org/outside": Repo({"validation.csv": b"path,label\n../../../../etc/passwd,sad\n"}),
        "org/many": Repo(
            {
                "README.md": b"---\nconfigs:\n- config_name: en\n  data_files: en.parquet\n"
                b"- config_name: de\n  data_files: de.parquet\n---\n",
                "en.parquet": parquet_bytes(ROWS[:2]),
                "de.parquet": parquet_bytes(ROWS[2:4]),
            }
        ),
    }
    hub.faults.append(Fault("org/busy", times=1000))
    expected = {
        ("hf:org/missing",): (
            "DatasetNotFoundError",
            "no such public set on http.*the spelling",
        ),
        ("hf:org/private",): ("AccessError", r"\(401\).*hf auth login.*HF_TOKEN"),
        ("hf:org/gated",): ("AccessError", "gated; accept its terms on .*/datasets/org/gated"),
        ("hf:org/busy",): ("NetworkError", "answers 503 again and again; try later"),
        ("hf:org/codes",): ("DatasetError", "own code.*--revision refs/convert/parquet"),
        ("hf:org/archive",): ("DatasetError", r"stored as \.tar.*unpack it"),
        ("hf:org/nothing",): ("DatasetError", "org/nothing has no files that make a dataset"),
        ("hf:org/renamed",): ("DatasetNotFoundError", "mood.*--label-column"),
        ("hf:org/changed",): ("DatasetNotFoundError", "00001-of.*no column 'emotion'"),
        ("hf:org/broken",): ("DatasetError", "cannot be read as parquet"),
        ("hf:org/outside",): ("DatasetError", "outside of its own folder"),
        ("hf:org/many",): ("DatasetNotFoundError", "en, de; write hf:org/many/CONFIG"),
        ("hf:org",): ("DatasetNotFoundError", "hf:ORG/NAME"),
        ("hf:or g/na me",): ("DatasetNotFoundError", "hf:ORG/NAME"),
        ("hf:org/many/../..",): ("DatasetNotFoundError", "hf:ORG/NAME/CONFIG"),
        ("hf:org/many/fr",): ("DatasetNotFoundError", "no configuration 'fr'; it has: en, de"),
        ("ssi", "split", "test"): (
            "DatasetNotFoundError",
            "no split 'test'; it has: train, validation",
        ),
        ("ssi", "revision", "v9"): ("DatasetNotFoundError", "no revision 'v9'; give a branch"),
        ("ssi", "label_column", "mood"): (
            "DatasetNotFoundError",
            "no column 'mood' for --label-column; .*file_path",
        ),
    }
    sets = [(name, dict([option] if option else [])) for name, *option in expected]
    seen, _ = ask(*sets, shrink_waits=True)
    said = {
        key: (one.get("error"), one.get("message", "no error"))
        for key, one in zip(expected, seen, strict=True)
    }
    for key, (error, pattern) in expected.items():
        assert said[key][0] == error, (key, said[key])
        assert re.search(pattern, said[key][1]), (key, said[key])
        assert "\n" not in said[key][1]


def test_a_token_opens_what_is_closed_and_a_wrong_one_is_named(ask, hub):
    hub.repos["org/closed"] = Repo(ssi_files(), token="hf_secret")
    (seen,), _ = ask(("hf:org/closed", {}), env={"HF_TOKEN": "hf_secret"})
    assert sounds(seen) == ALL_SOUNDS
    (seen,), _ = ask(("hf:org/closed", {"revision": "v1"}), env={"HF_TOKEN": "hf_other"})
    assert (seen["error"], "403" in seen["message"] or "401" in seen["message"]) == (
        "AccessError",
        True,
    )


def test_a_full_disk_is_seen_before_the_download(ask, hub, home):
    (seen,), _ = ask(("ssi", {}), free_bytes=5000)
    assert seen["error"] == "DatasetError"
    assert re.search(r"needs \d+ MB, 0 MB are free.*set HF_HOME", seen["message"])
    assert str(home) in seen["message"]
    assert shards_fetched(hub) == []


def test_a_revision_and_a_configuration_are_read_where_they_are_named(ask, hub):
    old = hub.repos[SSI]
    hub.repos["org/two"] = Repo(
        {
            "README.md": b"---\nconfigs:\n- config_name: en\n  data_files: en.parquet\n"
            b"- config_name: de\n  data_files: de.parquet\n---\n",
            "en.parquet": parquet_bytes(ROWS[:2]),
            "de.parquet": parquet_bytes(ROWS[2:4]),
        }
    )
    seen, _ = ask(
        ("ssi", {"revision": "v1", "split": "validation"}),
        ("ssi", {"revision": old.commit}),
        ("ssi", {"revision": old.commit}),
        ("hf:org/two/de", {}),
    )
    assert [sounds(one) for one in seen] == [
        ALL_SOUNDS,
        ALL_SOUNDS,
        ALL_SOUNDS,
        ALL_SOUNDS[2:4],
    ]
    assert len({one["fingerprint"] for one in seen}) == 2
    assert sum(f"/api/datasets/{SSI}/revision/{old.commit}" in line for line in hub.asked) <= 3


def test_a_new_commit_is_a_new_set_even_beside_a_folder_of_its_name(ask, hub, tmp_path):
    (tmp_path / SSI).mkdir(parents=True)
    (before,), _ = ask(("ssi", {}))
    hub.repos[SSI] = Repo(ssi_files() | {FIRST: parquet_bytes(ROWS[:2])})
    (after,), _ = ask(("ssi", {}))
    assert sounds(after) == ALL_SOUNDS[:2] + ALL_SOUNDS[3:]
    assert after["fingerprint"] != before["fingerprint"]


def files_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_sets_of_audio_files_are_read_too(ask, hub, tmp_path):
    by_class = {f"{row['emotion']}/{row['name']}": row["sound"] for row in ROWS}
    wanting = csv_text([*ROWS, ROWS[0] | {"name": "lost.wav"}], "path", "clips/")
    hub.repos |= {
        "org/folder": Repo(files_below(audio_folder(tmp_path / "a"))),
        "org/one-list": Repo(files_below(audio_folder_with_one_list(tmp_path / "b"))),
        "org/classes": Repo(by_class),
        "org/table": Repo(
            {"validation.csv": wanting.encode()}
            | {f"clips/{row['name']}": row["sound"] for row in ROWS}
        ),
    }
    seen, _ = ask(
        ("hf:org/folder", {}),
        ("hf:org/one-list", {}),
        ("hf:org/classes", {}),
        ("hf:org/table", {"audio_column": "path"}),
    )
    folder, one_list, classes, table = seen
    assert sounds(folder) == ALL_SOUNDS
    assert sounds(one_list) == ALL_SOUNDS
    others = [name for name in hub.fetched() if name.startswith(("train/", "test/"))]
    assert others == ["train/metadata.csv"]  # who speaks in it
    assert "2 of 3 speakers of the whole split also occur in train" in folder["caveats"][0]
    assert sorted(sounds(classes)) == sorted(ALL_SOUNDS)
    assert {clip["id"]: clip["label"] for clip in classes["clips"]}["ANG/clip0.wav"] == "ANG"
    assert sounds(table) == [*ALL_SOUNDS, hashlib.sha256(b"missing").hexdigest()]


def test_a_column_split_chooses_the_rows_of_a_set_without_named_splits(ask, hub):
    splits = ["Train", "test"] * 4
    hub.repos["org/table"] = Repo({"all.parquet": parquet_bytes(split=splits)})
    hub.repos["org/plain"] = Repo({"all.parquet": parquet_bytes()})
    (test, train, plain, unknown, unsaid), _ = ask(
        ("hf:org/table", {"split": "test"}),
        ("hf:org/table", {"split": "Train"}),
        ("hf:org/plain", {}),
        ("hf:org/table", {"split": "x"}),
        ("hf:org/table", {}),
    )
    assert (sounds(test), sounds(train)) == (ALL_SOUNDS[1::2], ALL_SOUNDS[::2])
    assert (test["split"], test["n_clips"], plain["split"]) == ("test", 4, "train")
    assert test["fingerprint"] != train["fingerprint"]
    assert ["3 of 3 speakers" in one for one in test["caveats"]] == [True]
    assert train["caveats"] == []
    assert "no split 'x'; it has: Train, test" in unknown["message"]
    assert "choose one with --split: Train, test" in unsaid["message"]


def test_a_limit_on_audio_files_fetches_only_those(ask, hub, tmp_path):
    hub.repos["org/folder"] = Repo(files_below(audio_folder(tmp_path / "a")))
    (seen,), _ = ask(("hf:org/folder", {"limit": 2}))
    assert sounds(seen) == ALL_SOUNDS[:2]
    assert sorted(hub.fetched()) == [
        "train/metadata.csv",
        "validation/clip0.wav",
        "validation/clip1.flac",
        "validation/metadata.csv",
    ]


def test_a_damaged_file_in_the_cache_is_named_and_what_the_hub_has_is_not_blamed_on_it(
    ask, hub, home
):
    hub.repos["org/broken"] = Repo({"validation.parquet": b"no parquet"})
    (first,), _ = ask(("ssi", {}))
    (blob,) = {path.resolve() for path in (home / "hub").rglob(FIRST.rpartition("/")[2])}
    blob.write_bytes(blob.read_bytes()[:-100])
    (damaged, broken), _ = ask(("ssi", {}), ("hf:org/broken", {}))
    assert f"is damaged: delete {blob} and run the same command again" in damaged["message"]
    assert "it is so on the hub: tell the set's owner" in broken["message"]
    blob.unlink()
    (again,), _ = ask(("ssi", {}))
    assert again == first


def test_what_lies_in_a_set_and_is_no_clip_is_counted_on_the_hub_too(ask, hub):
    sound = ROWS[0]["sound"]
    hub.repos |= {
        "org/kinds": Repo(
            {f"{row['emotion']}/{row['name']}": row["sound"] for row in ROWS}
            | {"SAD/a.DSS": b"x", "SAD/._a.wav": b"x"}
        ),
        "org/samples": Repo({"validation.parquet": parquet_bytes(), "samples/a.wav": sound}),
    }
    (kinds, samples), _ = ask(("hf:org/kinds", {}), ("hf:org/samples", {}))
    assert len(kinds["clips"]) == len(samples["clips"]) == len(ROWS)
    assert [(n, reason.partition(" (")[0]) for n, reason in kinds["left_out"]] == [
        (1, "hidden, or in a hidden folder"),
        (1, "of a kind that is not decoded"),
    ]
    assert [n for n, _ in samples["left_out"]] == [1]

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serval.errors import LabelError
from serval.labels import (
    EMOTIONS,
    PRESETS,
    LabelMap,
    LabelSet,
    StatedMap,
    label_map_from_option,
    label_space_of,
)

LABELS = LabelSet(EMOTIONS)


def test_labels_keep_their_order_and_know_their_ids():
    assert LABELS == EMOTIONS
    assert [LABELS.id_of(label) for label in LABELS] == list(range(8))


def test_an_unknown_label_names_the_known_ones():
    with pytest.raises(LabelError, match=r"unknown label 'bored'; known: angry, calm"):
        LABELS.id_of("bored")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["angry"], "at least 2 labels, got 1"),
        ([], "at least 2 labels, got 0"),
        (["a", ""], "label 1 has no name"),
        (["a", "  "], r"label \? has no name"),
        (["a", "b", "a", "b"], "label occurs twice: a, b"),
    ],
)
def test_labels_that_make_no_sense_are_refused(names, message):
    with pytest.raises(LabelError, match=message):
        LabelSet(names)


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("ANG", "angry"),
        ("fear", "fearful"),
        ("Joy", "happy"),
        ("pleasant_surprise", "surprised"),
        (" Sad ", "sad"),
        ("SUR", "surprised"),
        ("excited", None),
        ("", None),
    ],
)
def test_public_spellings_are_known(raw, label):
    assert LabelMap(labels=LABELS, explicit={})[raw] == label


def test_what_is_stated_wins_over_what_is_known():
    mapping = LabelMap(labels=LABELS, explicit={"ANG": "sad", "exc": "happy"})
    assert (mapping["ANG"], mapping["exc"], mapping["angry"]) == ("sad", "happy", "angry")
    assert mapping.unmapped(["x", "ANG", "b", "x"]) == ("b", "x")


def test_a_spelling_is_not_mapped_to_a_label_the_model_lacks():
    mapping = LabelMap(labels=LabelSet(["happy", "sad"]), explicit={})
    assert mapping["ANG"] is None


def test_a_map_onto_an_unknown_label_is_refused():
    with pytest.raises(LabelError, match="sends 'x' to 'bored', which the model does not know"):
        LabelMap(labels=LABELS, explicit={"x": "bored"})


@given(st.sampled_from(EMOTIONS))
def test_every_label_maps_to_itself_in_any_case(label):
    mapping = LabelMap(labels=LABELS, explicit={})
    assert mapping[label] == mapping[label.upper()] == mapping[label.title()] == label


def test_a_map_may_come_inline_from_a_file_or_not_at_all(tmp_path):
    path = tmp_path / "a=b.json"
    path.write_text(json.dumps({"ANG": "angry"}), encoding="utf-8")
    assert label_map_from_option("ANG = angry,HAP=happy").explicit == {
        "ANG": "angry",
        "HAP": "happy",
    }
    assert label_map_from_option(str(path)).explicit == {"ANG": "angry"}
    assert label_map_from_option("  ") == label_map_from_option(None) == StatedMap(explicit={})


@pytest.mark.parametrize("option", ["ANG=", "=angry", "ANG=angry,HAP"])
def test_an_inline_map_that_is_cut_short_is_refused(option):
    with pytest.raises(LabelError, match="is not of the form RAW=label"):
        label_map_from_option(option)


def test_an_inline_map_that_contradicts_itself_is_refused():
    with pytest.raises(LabelError, match="sends 'x' to 'sad' and to 'happy'; keep one"):
        label_map_from_option("big6,x=sad,y=happy,x=happy")
    assert label_map_from_option("x=sad,x=sad").explicit == {"x": "sad"}


@pytest.mark.parametrize("content", ["[]", '{"ANG": 1}'])
def test_a_file_that_is_no_map_of_texts_is_refused(tmp_path, content):
    path = tmp_path / "map.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LabelError, match="must hold one object of texts"):
        label_map_from_option(str(path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(LabelError, match="neither RAW=label"):
        label_map_from_option(str(tmp_path / "gone.json"))
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(LabelError, match="neither RAW=label"):
        label_map_from_option(str(broken))


def test_an_inline_map_may_be_longer_than_a_file_name():
    option = ",".join(f"code{i:04d}=angry" for i in range(60))
    assert len(label_map_from_option(option).explicit) == 60


def test_an_explicit_label_is_found_in_any_case():
    mapping = LabelMap(labels=LabelSet(["happy", "sad"]), explicit={"hap": "sad"})
    assert (mapping["HAP"], mapping["Happy"]) == ("sad", "happy")


def test_a_map_that_notepad_saved_is_read(tmp_path):
    path = tmp_path / "map.json"
    path.write_text('{"ANG": "angry"}', encoding="utf-8-sig")
    assert label_map_from_option(str(path)).explicit == {"ANG": "angry"}


@pytest.mark.parametrize(
    ("content", "message"),
    [("[" * 100_000, "nested too deep"), ('{"a": ' + "9" * 5000 + "}", "Exceeds the limit")],
)
def test_a_hostile_label_map_is_one_short_line(tmp_path, content, message):
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(LabelError, match=message) as caught:
        label_map_from_option(str(path))
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("option", ["/dev/zero", "x" * 5000, "nul\0", "."])
def test_what_can_be_no_label_map_is_not_read(option):
    with pytest.raises(LabelError, match="is neither RAW=label"):
        label_map_from_option(option)


@pytest.mark.parametrize(
    ("preset", "raw", "label"),
    [
        ("iemocap4", "exc", "happy"),
        ("iemocap4", "neu", "neutral"),
        ("iemocap4", "fru", None),
        ("iemocap4", "fearful", None),
        ("crema6", "calm", "neutral"),
        ("big6", "neutral", None),
        ("big6", "FEA", "fearful"),
        ("big7", "calm", "neutral"),
        ("ravdess8", "calm", "calm"),
        ("ravdess8", "boredom", None),
    ],
)
def test_a_preset_says_what_every_label_counts_as(preset, raw, label):
    assert PRESETS[preset][raw] == label
    space = label_space_of(LABELS, PRESETS[preset])
    assert LabelMap(labels=space.labels, explicit={}, preset=PRESETS[preset])[raw] == label


def test_a_preset_joins_outputs_and_keeps_those_it_does_not_know():
    space = label_space_of(LabelSet(["calm", "bored", "neu", "hap"]), PRESETS["big7"])
    assert space.labels == ("neutral", "bored", "happy")
    assert space.outputs == ((0, 2), (1,), (3,))
    assert space.joins
    assert not label_space_of(LABELS).joins


def test_what_is_stated_beside_a_preset_wins():
    stated = label_map_from_option("iemocap4, fru = angry")
    assert (stated.preset.name, stated.explicit) == ("iemocap4", {"fru": "angry"})
    labels = label_space_of(LABELS, stated.preset).labels
    mapping = LabelMap(labels=labels, explicit=stated.explicit, preset=stated.preset)
    assert mapping["FRU"] == "angry"
    assert (mapping.is_left_out("surprise"), mapping.is_left_out("fru")) == (True, False)


def test_codes_of_a_dataset_go_through_what_they_mean_there():
    mapping = LabelMap(
        labels=LabelSet(["neutral", "happy"]),
        explicit={},
        meanings={"W": "calm", "F": "excited"},
        preset=PRESETS["iemocap4"],
    )
    assert (mapping["W"], mapping["f"], mapping["L"]) == ("neutral", "happy", None)


def test_an_emotion_that_the_preset_has_and_the_model_lacks_is_not_its_own_to_leave_out():
    few = LabelMap(labels=LabelSet(["happy", "sad"]), explicit={}, preset=PRESETS["big6"])
    assert few["ANG"] is None
    assert (few.is_left_out("ANG"), few.is_left_out("neutral")) == (False, True)


def test_a_preset_by_a_wrong_name_lists_them():
    with pytest.raises(LabelError, match=r"presets: iemocap4, crema6, big6, .*mean 'iemocap4'"):
        label_map_from_option("iemocap")


def test_an_accented_letter_is_one_in_either_of_its_forms():
    labels = LabelSet(["cole\u0300re", "joie"])
    mapping = LabelMap(labels=labels, explicit={"ire\u0301e": "joie"})
    assert labels[0] == "col\u00e8re"
    found = [mapping[raw] for raw in ("COLE\u0300RE", "col\u00e8re", "ir\u00e9e")]
    assert found == [labels[0], labels[0], "joie"]
    assert label_map_from_option("a=cole\u0300re").explicit == {"a": labels[0]}


def test_what_is_stated_of_no_label_is_known():
    mapping = LabelMap(labels=LABELS, explicit={"Clam": "neutral", "EXC ": "happy"})
    assert mapping.unused(["calm", "exc"]) == ("Clam",)

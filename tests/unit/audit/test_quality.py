import numpy as np
import pytest

from build import encoded
from serval.audit.facts import ClipFacts, clip_facts
from serval.audit.faults import clip_findings, format_findings
from serval.audit.findings import FindingKind
from serval.records import Clip
from speech import opus, utterance

VOICE = utterance(1)


def facts_of(audio, name="x"):
    blank = ClipFacts(
        split="val", clip_id=name, label="sad", raw_label="sad", speaker=None, text=None
    )
    return clip_facts(Clip(id=name, index=0, label="sad", audio=audio), blank)


def kinds(*audios):
    return [finding.kind for finding in clip_findings([facts_of(a) for a in audios], "val")]


def cut(encoded_file, share=0.6):
    return encoded_file[: int(len(encoded_file) * share)]


NOISE = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)

FAULTY = {
    "silent": (encoded(VOICE * 0), FindingKind.SILENT),
    "nearly silent": (encoded(VOICE * 0.001), FindingKind.SILENT),
    "clipped": (encoded(np.clip(VOICE * 8, -1, 1)), FindingKind.CLIPPED),
    "offset": (encoded(VOICE * 0.5 + 0.1), FindingKind.DC_OFFSET),
    "cut wav": (cut(encoded(VOICE)), FindingKind.TRUNCATED),
    "cut flac": (cut(encoded(NOISE, form="FLAC")), FindingKind.TRUNCATED),
    "cut opus": (cut(opus(NOISE)), FindingKind.TRUNCATED),
    "text": (b"not audio at all, only text", FindingKind.UNDECODABLE),
    "empty": (b"", FindingKind.UNDECODABLE),
    "short": (encoded(VOICE[:4000]), FindingKind.TOO_SHORT),
    "long": (encoded(np.tile(VOICE, 30)), FindingKind.TOO_LONG),
    "endless": (encoded(np.zeros(8000 * 700, np.float32), 8000), FindingKind.TOO_LONG),
}


@pytest.mark.parametrize(("audio", "kind"), FAULTY.values(), ids=FAULTY)
def test_a_fault_is_found(audio, kind):
    assert kinds(*[encoded(VOICE)] * 3, audio) == [kind]


def test_good_clips_have_no_finding():
    assert kinds(encoded(VOICE), encoded(VOICE, form="FLAC"), opus(VOICE)) == []


def test_nan_samples_are_undecodable():
    broken = VOICE.copy()
    broken[10] = np.nan
    assert kinds(encoded(broken, subtype="FLOAT")) == [FindingKind.UNDECODABLE]


def test_a_file_that_is_missing_is_undecodable(tmp_path):
    assert kinds(tmp_path / "gone.wav") == [FindingKind.UNDECODABLE]


def test_the_message_names_the_clip_and_the_number():
    (finding,) = clip_findings([facts_of(encoded(VOICE * 0.5 + 0.1))], "val")
    assert finding.message == "val:x: its mean is +0.100 of full scale"
    assert finding.value == pytest.approx(0.1, abs=1e-3)


def test_rates_and_channels_that_differ_are_one_finding_each():
    stereo = np.stack([VOICE, VOICE], axis=1)
    facts = [facts_of(a) for a in (encoded(VOICE), encoded(VOICE, 8000), encoded(stereo))]
    rates, channels = format_findings(facts, "val")
    assert rates.message == "val: 2 clips with 16000 Hz, 1 clip with 8000 Hz"
    assert channels.message == "val: 2 clips with 1 channel, 1 clip with 2 channels"


def test_one_format_is_no_finding():
    assert list(format_findings([facts_of(encoded(VOICE))] * 2, "val")) == []
    assert list(format_findings([], "val")) == []

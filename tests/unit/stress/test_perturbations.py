"""Each perturbation does to the samples what its name says, measured on the samples."""

import numpy as np
import pytest
from scipy import signal

from build import voice
from serval.audio import resampled
from serval.errors import AudioError
from serval.records import Clip
from serval.stress import FULL, channel, noise, waveform
from serval.stress.suite import Draws, Voice, perturbed

RATE = 16_000


@pytest.fixture(scope="module")
def clip():
    return voice(3, seconds=1.5)


@pytest.fixture(scope="module")
def voices():
    return tuple(
        Voice(clip_id=f"c{i}", speaker=f"s{i % 4}", samples=voice(i, 0.8)) for i in range(9)
    )


def rng(seed=0):
    return np.random.default_rng(seed)


def power_db(samples):
    return 10 * np.log10(np.mean(np.asarray(samples, dtype=np.float64) ** 2))


def attenuation_db(perturb, hz, **parameters):
    """How much weaker a sine of that frequency comes out, its start left out."""
    tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    out = perturb(tone, RATE, rng(), **parameters)
    return power_db(tone[RATE // 2 :]) - power_db(out[RATE // 2 :])


def pitch_of(samples):
    """The lag of the strongest self-resemblance between 70 and 400 Hz, as a frequency."""
    x = samples[RATE // 4 : RATE // 2 + RATE // 4].astype(np.float64)
    likeness = np.correlate(x, x, "full")[len(x) - 1 :]
    low, high = RATE // 400, RATE // 70
    return RATE / (low + likeness[low:high].argmax())


def hum(hz=120.0, seconds=1.5):
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 9))).astype(np.float32)


def test_every_case_is_deterministic_and_different_from_clip_to_clip(clip, voices):
    pytest.importorskip("pyroomacoustics")
    random_kinds = {"white", "babble", "music", "environment", "cough", "sneeze", "tone",
                    "distance", "packet_loss", "poor_telephone"}  # fmt: skip
    one, two = (Clip(id=name, index=0, label="happy") for name in ("one", "two"))
    for case in {case.kind: case for case in FULL}.values():
        first = perturbed(case, clip, RATE, one, Draws(7, voices))
        assert first.dtype == np.float32, case.name
        assert np.isfinite(first).all(), case.name
        assert np.array_equal(first, perturbed(case, clip, RATE, one, Draws(7, voices))), case.name
        if case.kind in random_kinds:
            assert not np.array_equal(first, perturbed(case, clip, RATE, two, Draws(7, voices)))
            assert not np.array_equal(first, perturbed(case, clip, RATE, one, Draws(8, voices)))


def test_every_perturbation_names_its_source():
    functions = {case.perturb for case in FULL}
    assert not [f.__name__ for f in functions if "Source: " not in (f.__doc__ or "")]


def test_no_case_changes_the_samples_it_was_given(clip, voices):
    before = clip.copy()
    for case in {case.kind: case for case in FULL if case.family not in {"room", "codec"}}.values():
        perturbed(case, clip, RATE, Clip(id="a", index=0, label="happy"), Draws(0, voices))
    assert np.array_equal(before, clip)


@pytest.mark.parametrize("family", ["level", "noise", "spectrum", "time", "codec"])
def test_silence_and_very_short_clips_stay_finite(family, voices):
    one = Clip(id="a", index=0, label="happy")
    for case in {case.kind: case for case in FULL if case.family == family}.values():
        for samples in (np.zeros(4000, dtype=np.float32), voice(1, 0.02)):
            assert np.isfinite(perturbed(case, samples, RATE, one, Draws(0, voices))).all(), (
                case.name
            )


@pytest.mark.parametrize("snr_db", [20, 0])
@pytest.mark.parametrize(
    "perturb", [noise.white, noise.pink, noise.tone, noise.music, noise.environment]
)
def test_noise_has_the_ratio_that_was_asked_for(perturb, snr_db, clip):
    added = perturb(clip, RATE, rng(), snr_db=snr_db) - clip
    assert power_db(clip) - power_db(added) == pytest.approx(snr_db, abs=0.1)


def test_babble_has_its_ratio_and_is_made_of_strangers(clip, voices):
    (case,) = (case for case in FULL if case.name == "babble_10db")
    mine = Clip(id="c0", index=0, label="happy", speaker="s0")
    noisy = perturbed(case, clip, RATE, mine, Draws(0, voices))
    assert power_db(clip) - power_db(noisy - clip) == pytest.approx(10, abs=0.1)
    strangers = tuple(voice for voice in voices if voice.speaker != "s0")
    assert np.array_equal(noisy, perturbed(case, clip, RATE, mine, Draws(0, strangers)))


def test_babble_without_other_clips_says_so(clip):
    with pytest.raises(AudioError, match="needs other clips"):
        noise.babble(clip, RATE, rng(), snr_db=10, voices=[])


@pytest.mark.parametrize("kind", ["cough", "sneeze"])
def test_a_burst_is_short_and_has_its_ratio_over_the_clip(kind, clip):
    added = noise.burst(clip, RATE, rng(2), snr_db=10, kind=kind) - clip
    assert power_db(clip) - power_db(added) == pytest.approx(10, abs=0.1)
    assert np.count_nonzero(np.abs(added) > 1e-6) <= 0.5 * RATE


def test_the_tone_lies_between_5_and_7_khz(clip):
    for seed in range(5):
        added = noise.tone(clip, RATE, rng(seed), snr_db=10) - clip
        peak_hz = np.abs(np.fft.rfft(added)).argmax() * RATE / len(added)
        assert 5000 <= peak_hz <= 7000


def test_pink_noise_falls_3_db_an_octave():
    frequencies, power = signal.welch(noise.coloured(160_000, RATE, 1.0, rng()), RATE)
    one, two = (power[(frequencies > f) & (frequencies < 2 * f)].mean() for f in (1000, 2000))
    assert 10 * np.log10(one / two) == pytest.approx(3, abs=0.4)


def test_gain_and_one_silent_channel(clip):
    louder = waveform.gain(clip, RATE, rng(), gain_db=-2)
    assert power_db(louder) - power_db(clip) == pytest.approx(-2, abs=0.01)
    half = waveform.one_channel_silent(clip, RATE, rng())
    assert power_db(half) - power_db(clip) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("percent", [0.1, 0.3])
def test_clipping_cuts_the_stated_share(percent, clip):
    cut = waveform.clipped(clip, RATE, rng(), percent=percent)
    assert 100 * np.mean(cut != clip) == pytest.approx(percent, abs=0.01)
    assert np.abs(cut).max() < np.abs(clip).max()


def test_offset_and_bits(clip):
    moved = waveform.offset(clip, RATE, rng(), shift=0.05)
    assert moved.mean() - clip.mean() == pytest.approx(0.05, abs=1e-4)
    coarse = waveform.quantized(clip, RATE, rng(), bits=8)
    assert len(np.unique(coarse)) <= 256
    assert np.abs(coarse - clip).max() <= 0.5 / 128 + 1e-6


@pytest.mark.parametrize(
    ("side", "cutoff_hz", "lost", "kept"),
    [("highpass", 150, 40, 1000), ("lowpass", 6500, 7800, 3000)],
)
def test_filters_are_3_db_down_at_their_cutoff(side, cutoff_hz, lost, kept):
    parameters = {"cutoff_hz": cutoff_hz, "side": side}
    assert attenuation_db(waveform.passed, cutoff_hz, **parameters) == pytest.approx(3, abs=0.1)
    assert attenuation_db(waveform.passed, lost, **parameters) > 20
    assert attenuation_db(waveform.passed, kept, **parameters) < 0.1


def test_a_low_pass_above_half_the_rate_changes_nothing(clip):
    assert waveform.passed(clip, 8000, rng(), cutoff_hz=7000, side="lowpass") is clip


def test_the_telephone_keeps_its_band_and_nothing_else():
    assert attenuation_db(waveform.telephone, 1000) < 1
    assert attenuation_db(waveform.telephone, 3300) < 3
    assert min(attenuation_db(waveform.telephone, hz) for hz in (100, 4200, 7000)) > 35


def test_tilt_moves_energy_up_or_down_at_the_same_level():
    grain = rng().standard_normal(RATE).astype(np.float32) * 0.1
    low, high = signal.butter(4, 4000, fs=RATE, output="sos"), signal.butter(
        4, 4000, "high", fs=RATE, output="sos")  # fmt: skip

    def lean(samples):
        return power_db(signal.sosfilt(high, samples)) - power_db(signal.sosfilt(low, samples))

    up, down = (waveform.tilted(grain, RATE, rng(), tilt=tilt) for tilt in (-0.9, 0.9))
    assert lean(up) > lean(grain) + 5
    assert lean(down) < lean(grain) - 5
    assert power_db(up) == pytest.approx(power_db(grain), abs=0.01)


def test_crop_append_and_prepend(clip):
    def of(edit, **parameters):
        return edit(clip, RATE, rng(), **parameters)

    assert np.array_equal(of(waveform.cropped, count=100, end="start"), clip[100:])
    assert np.array_equal(of(waveform.cropped, count=100, end="end"), clip[:-100])
    assert len(of(waveform.cropped, count=10**6, end="start")) == 1
    assert np.array_equal(of(waveform.padded, count=500, end="start")[500:], clip)
    assert np.array_equal(of(waveform.padded, count=500, end="end")[:-500], clip)
    assert len(of(waveform.silence, seconds=1.0, end="start")) == len(clip) + RATE


@pytest.mark.parametrize("percent", [-10, 5, 10])
def test_speed_tempo_and_pitch_change_what_they_say(percent):
    sound, factor = hum(), 1 + percent / 100
    fast = waveform.speed(sound, RATE, rng(), percent=percent)
    quick = waveform.tempo(sound, RATE, rng(), percent=percent)
    high = waveform.pitch(sound, RATE, rng(), percent=percent)
    assert [len(x) / len(sound) for x in (fast, quick, high)] == pytest.approx(
        [1 / factor, 1 / factor, 1], rel=1e-3
    )
    assert [pitch_of(x) / pitch_of(sound) for x in (fast, quick, high)] == pytest.approx(
        [factor, 1, factor], rel=0.02
    )
    assert power_db(quick) == pytest.approx(power_db(sound), abs=1)


@pytest.mark.parametrize("kbps", [6, 12, 24])
def test_opus_files_are_of_the_stated_bit_rate(kbps):
    sound = voice(5, seconds=8)
    scale = 1 - (kbps - channel.OPUS_LOWEST) / channel.OPUS_SPAN
    choice = {"format": "OGG", "subtype": "OPUS", "compression_level": scale}
    size, heard = channel.encoded_as(sound, RATE, choice)
    assert 8 * size / 8 / 1000 == pytest.approx(kbps, rel=0.35)
    assert len(heard) == len(sound)


def test_mp3_has_its_bit_rate_and_no_delay(clip):
    choice = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT",
              "compression_level": (160 - 32) / (160 - 8)}  # fmt: skip
    sound = voice(5, seconds=8)
    assert channel.encoded_as(sound, RATE, choice)[0] / 1000 == pytest.approx(32, rel=0.1)
    heard = channel.mp3(clip, RATE, rng(), kbps=32)
    lag = np.correlate(heard[2000:10_000], clip[2100:9900], "valid").argmax() - 100
    assert (len(heard), lag) == (len(clip), 0)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_every_codec_takes_every_rate_that_a_model_may_want(rate, clip):
    kinds = {case.kind: case for case in FULL if case.family == "codec"}
    said, one = resampled(clip, RATE, rate), Clip(id="a", index=0, label="happy")
    for case in kinds.values():
        heard = perturbed(case, said, rate, one, Draws())
        assert len(heard) == len(said), case.name
        assert power_db(heard) > power_db(said) - 25, case.name


@pytest.mark.parametrize("perturb", [channel.gsm, channel.mulaw])
def test_speech_codecs_keep_length_and_place_but_not_the_samples(perturb, clip):
    heard = perturb(clip, RATE, rng())
    assert len(heard) == len(clip)
    assert 5 < power_db(clip) - power_db(heard - clip) < 45


def test_gsm_and_8_khz_leave_nothing_above_4_khz():
    grain = (0.1 * rng().standard_normal(RATE)).astype(np.float32)
    sos = signal.butter(8, 4500, "high", fs=RATE, output="sos")
    for heard in (channel.gsm(grain, RATE, rng()), channel.rate_round_trip(grain, RATE, rng(),
                                                                       rate=8000)):  # fmt: skip
        assert power_db(signal.sosfilt(sos, heard)) < power_db(signal.sosfilt(sos, grain)) - 25


def test_the_way_through_44_1_khz_keeps_speech(clip):
    heard = channel.rate_round_trip(clip, RATE, rng(), rate=44_100)
    assert power_db(clip) - power_db(heard - clip) > 30


def test_packet_loss_silences_the_stated_share_in_whole_packets():
    ones = np.ones(RATE * 60, dtype=np.float32)
    kept = channel.packet_loss(ones, RATE, rng(), percent=10).reshape(-1, 320)
    assert set(kept.mean(axis=1).tolist()) == {0.0, 1.0}
    assert 100 * np.mean(kept == 0) == pytest.approx(10, abs=2.5)


def test_a_poor_telephone_line_is_narrow_noisy_and_even(clip):
    quiet = np.concatenate([clip, 0.05 * clip])
    heard = channel.poor_telephone(quiet, RATE, rng())
    before = power_db(quiet[: len(clip)]) - power_db(quiet[len(clip) :])
    after = power_db(heard[: len(clip)]) - power_db(heard[len(clip) :])
    assert after < before - 5


@pytest.mark.parametrize(
    ("name", "metres", "documented_s"),
    [("small", 1.0, 0.23), ("medium", 1.5, 0.55), ("medium", 3.0, 0.55), ("large", 2.0, 1.25)],
)
def test_a_room_echoes_as_long_as_its_documentation_says(name, metres, documented_s):
    acoustics = pytest.importorskip("pyroomacoustics")

    for place in range(3):
        response = channel.impulse_response(name, metres, RATE, place)
        rt60_s = acoustics.measure_rt60(response, fs=RATE, decay_db=30)
        assert rt60_s == pytest.approx(documented_s, rel=0.1)


@pytest.mark.parametrize("name", ["small", "medium", "large"])
def test_a_room_has_about_the_echo_that_it_says(name):
    pytest.importorskip("pyroomacoustics")

    response = channel.impulse_response(name, 1.0, RATE, 0)
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    decay = 10 * np.log10(energy / energy[0])
    direct = int(np.abs(response).argmax())
    five, twenty_five = (int(np.argmax(decay[direct:] < level)) for level in (-5, -25))
    rt60_s = 3 * (twenty_five - five) / RATE
    assert channel.ROOMS[name][1] * 0.6 < rt60_s < channel.ROOMS[name][1] * 1.9


def test_further_away_means_less_direct_sound(clip):
    pytest.importorskip("pyroomacoustics")

    def direct_db(metres):
        response = channel.impulse_response("medium", metres, RATE, 1)
        at = int(np.abs(response).argmax())
        near = response[max(0, at - 40) : at + 40]
        return 10 * np.log10(np.sum(near**2) / np.sum(response**2))

    assert direct_db(0.5) > direct_db(1.0) > direct_db(3.0)
    wet = channel.reverberant(clip, RATE, rng(), room="medium", distance_m=3.0)
    assert len(wet) == len(clip)
    assert power_db(wet) == pytest.approx(power_db(clip), abs=0.1)


@pytest.mark.parametrize("frequency", [55.0, 441.0, 9000.0, 20000.0])
@pytest.mark.parametrize("n", [1, 100, 2_000])
def test_a_plucked_string_is_the_filter_that_it_stands_for(frequency, n):
    period = max(2, round(16_000 / frequency))
    excitation, feedback = np.zeros(n), np.zeros(period + 2)
    excitation[:period] = np.random.default_rng(1).uniform(-1, 1, min(period, n))
    feedback[[0, period, period + 1]] = 1.0, -0.498, -0.498
    filtered = signal.lfilter([1.0], feedback, excitation)
    plucked = noise._plucked(frequency, n, 16_000, np.random.default_rng(1))
    assert plucked.tobytes() == (filtered + 0.0).tobytes()

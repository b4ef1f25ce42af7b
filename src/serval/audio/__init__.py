"""Encoded audio -> one mono float32 waveform at the sample rate that the model wants.

A file goes one way: `encoded` reads its bytes; `kinds` says what they are; `parts` takes apart what
was joined end to end and mends or refuses sizes that are wrong (`sizes`, `mpeg`); `libsndfile` or,
where it is installed, `ffmpeg` decodes; `waveform` makes one channel at the wanted rate; `decode`
is the whole way, at once or a block at a time. `microphone` hears this machine's.
"""

from serval.audio.decode import Audio, Header, Streamed, decode, header_of
from serval.audio.encoded import LONGEST_CLIP_S, address_in, encoded_bytes
from serval.audio.kinds import decodable_suffixes, sound_suffixes
from serval.audio.microphone import microphone_windows
from serval.audio.waveform import (
    SILENT_PEAK,
    Waveform,
    peak_normalized,
    resampled,
    sound_of,
    zscored,
)

__all__ = [
    "LONGEST_CLIP_S",
    "SILENT_PEAK",
    "Audio",
    "Header",
    "Streamed",
    "Waveform",
    "address_in",
    "decodable_suffixes",
    "decode",
    "encoded_bytes",
    "header_of",
    "microphone_windows",
    "peak_normalized",
    "resampled",
    "sound_of",
    "sound_suffixes",
    "zscored",
]

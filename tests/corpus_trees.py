"""Known corpora as they lie on disk, made small: their names, tables and traps, tones for audio."""

import struct
from dataclasses import dataclass, field
from hashlib import sha256

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def tone(name, n=40):
    """A WAV file of n samples, another for each name."""
    digest = sha256(name.encode()).digest()
    samples = struct.pack(f"<{n}h", *(256 * digest[i % 32] - 32_768 for i in range(n)))
    size = len(samples)
    fields = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", size)
    return HEADER.pack(*fields) + samples


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What lies in a corpus's folder, and what there is to know of it.

    clips: path -> (label, speaker, gender, fold) of every clip.
    others: path -> the kind for which it is left out.
    tables: path -> text.
    copies: path -> the path of which it is a copy.
    silent: paths of files without a sample.
    columns: what some clip has beside.
    """

    clips: dict
    others: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)
    copies: dict = field(default_factory=dict)
    silent: tuple = ()
    columns: dict = field(default_factory=dict)

    def write(self, root):
        for name in (*self.clips, *self.others):
            content = tone(self.copies.get(name, name), 0 if name in self.silent else 40)
            put(root / name, content)
        for name, text in self.tables.items():
            put(root / name, text if isinstance(text, bytes) else text.encode())
        return root


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


TREES = {
    "RAVDESS": Tree(
        clips={
            "Actor_01/03-01-01-01-01-01-01.wav": ("neutral", "01", "male", "1"),
            "Actor_11/03-01-07-02-02-02-11.wav": ("disgust", "11", "male", "1"),
            "Actor_10/03-01-02-01-02-01-10.wav": ("calm", "10", "female", "2"),
            "renamed/03-01-08-02-01-02-24.wav": ("surprised", "24", "female", "4"),
            "Actor_22/03-01-06-01-01-01-22.wav": ("fearful", "22", "female", "6"),
            "Actor_22/03-01-05-01-01-01-22.wav": ("angry", "22", "female", "6"),
        },
        others={
            "Actor_01/03-02-03-01-01-01-01.wav": "song",
            "Actor_01/01-01-03-01-01-01-01.mp4": "video",
            "Actor_01/02-01-03-01-01-01-01.mp4": "video",
            "Actor_01/._03-01-01-01-01-01-01.wav": "macos",
            "__MACOSX/Actor_01/._03-01-01-01-01-01-01.wav": "macos",
            "audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav": "copies",
            "audio_speech_actors_01-24/Actor_11/03-01-07-02-02-02-11.wav": "copies",
        },
        copies={
            f"audio_speech_actors_01-24/{name}": name
            for name in ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_11/03-01-07-02-02-02-11.wav")
        },
        columns={
            "Actor_11/03-01-07-02-02-02-11.wav": {
                "text": "Dogs are sitting by the door", "intensity": "strong", "repetition": "2",
            }
        },
    ),
    "CREMA-D": Tree(
        clips={
            "AudioWAV/1001_DFA_ANG_XX.wav": ("angry", "1001", "male", "?"),
            "AudioWAV/1002_IEO_DIS_HI.wav": ("disgust", "1002", "female", "?"),
            "AudioWAV/1052_WSI_FEA_XX.wav": ("fearful", "1052", "female", "?"),
            "AudioWAV/1091_TSI_HAP_X.wav": ("happy", "1091", "female", "?"),
            "AudioWAV/1090_MTI_NEU_XX.wav": ("neutral", "1090", "male", "?"),
            "AudioWAV/1064_TIE_SAD_XX.wav": ("sad", "1064", "male", "?"),
        },
        others={
            "AudioMP3/1001_DFA_ANG_XX.mp3": "formats",
            "VideoFlash/1001_DFA_ANG_XX.flv": "video",
            "AudioWAV/1076_MTI_SAD_XX.wav": "silent",
        },
        silent=("AudioWAV/1076_MTI_SAD_XX.wav",),
        tables={
            "VideoDemographics.csv": "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not\n",
            "finishedResponses.csv": '"","queryType","clipName","respEmo"\n'
            '"1",1,"1001_DFA_ANG_XX","A"\n"2",1,"1001_DFA_ANG_XX","A"\n'
            '"3",1,"1001_DFA_ANG_XX","N"\n"4",2,"1001_DFA_ANG_XX","D"\n',
        },
        columns={
            "AudioWAV/1001_DFA_ANG_XX.wav": {
                "age": "51", "votes": "A 2, N 1", "text": "Don't forget a jacket",
            }
        },
    ),
    "TESS": Tree(
        clips={
            "OAF_Fear/OAF_should_fear.wav": ("fearful", "OAF", "female", "1"),
            "OAF_neutral/OA_bite_neutral.wav": ("neutral", "OAF", "female", "1"),
            "OAF_Pleasant_surprise/OAF_base_ps.wav": ("surprised", "OAF", "female", "1"),
            "YAF_disgust/YAF_week_disgust.wav": ("disgust", "YAF", "female", "2"),
            "YAF_angry/YAF_king_angry.wav": ("angry", "YAF", "female", "2"),
            "YAF_sad/YAF_gap_sad.wav": ("sad", "YAF", "female", "2"),
        },
        others={
            "TESS Toronto emotional speech set data/OAF_Fear/OAF_should_fear.wav": "copies",
            "TESS Toronto emotional speech set data/YAF_sad/YAF_gap_sad.wav": "copies",
        },
        copies={
            "TESS Toronto emotional speech set data/OAF_Fear/OAF_should_fear.wav":
                "OAF_Fear/OAF_should_fear.wav",
            "TESS Toronto emotional speech set data/YAF_sad/YAF_gap_sad.wav":
                "YAF_sad/YAF_gap_sad.wav",
        },
        columns={"OAF_Fear/OAF_should_fear.wav": {"text": "Say the word should"}},
    ),
    "SAVEE": Tree(
        clips={
            "ALL/JE_n23.wav": ("neutral", "JE", "male", "1"),
            "AudioData/KL/sa01.wav": ("sad", "KL", "male", "2"),
            "AudioData/KL/su15.wav": ("surprised", "KL", "male", "2"),
            "AudioData/DC/a03.wav": ("angry", "DC", "male", "3"),
            "AudioData/JK/d04.wav": ("disgust", "JK", "male", "4"),
            "ALL/JK_h09.wav": ("happy", "JK", "male", "4"),
        },
        others={
            "AudioData/JE/n23.wav": "copies",
            "AudioVisualClip/JE/n3.avi": "video",
        },
        copies={"AudioData/JE/n23.wav": "ALL/JE_n23.wav"},
        tables={"AudioData/Info.txt": "four male speakers\n"},
    ),
    "EmoDB": Tree(
        clips={
            "wav/03a01Wa.wav": ("angry", "03", "male", "?"),
            "wav/08b02Lb.wav": ("bored", "08", "female", "?"),
            "wav/16a05Ea.wav": ("disgust", "16", "female", "?"),
            "wav/11b09Ad.wav": ("fearful", "11", "male", "?"),
            "wav/14a07Fd.wav": ("happy", "14", "female", "?"),
            "wav/15b10Tc.wav": ("sad", "15", "male", "?"),
            "wav/10b03Nb.wav": ("neutral", "10", "male", "?"),
        },
        tables={"erklaerung.txt": "Code of emotions\n"},
        columns={"wav/15b10Tc.wav": {"version": "c"}},
    ),
}  # fmt: skip

"""RAVDESS: `Actor_11/03-01-07-02-02-02-11.wav`."""

from serval.corpora.corpus import Corpus, by_parity, coded, numbers

CORPUS = Corpus(
    name="RAVDESS",
    what="acted English speech (and song, which is left out) of 24 actors, two sentences",
    language="English",
    clips=1440,
    speakers=24,
    licence="CC BY-NC-SA 4.0",
    source="https://zenodo.org/records/1188976",
    cite="Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, "
    "PLoS ONE 13(5), 2018",
    grammar=r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<label>0[1-8])-(?P<intensity>0[12])-"
    r"(?P<text>0[12])-(?P<repetition>0[12])-(?P<speaker>0[1-9]|1\d|2[0-4])",
    folders=r"Actor_\d\d/",
    labels=coded(
        "01 neutral | 02 calm | 03 happy | 04 sad | 05 angry | 06 fearful | 07 disgust | "
        "08 surprised"
    ),
    codes={
        "modality": coded("01 audio and video | 02 video | 03 audio"),
        "channel": coded("01 speech | 02 song"),
        "intensity": coded("01 normal | 02 strong"),
        "text": coded("01 Kids are talking by the door | 02 Dogs are sitting by the door"),
        "repetition": coded("01 1 | 02 2"),
    },
    genders=by_parity(range(1, 25)),
    counts=numbers(
        "neutral 96 calm 192 happy 192 sad 192 angry 192 fearful 192 disgust 192 surprised 192"
    ),
    kinds={
        "song": ("channel", "song"),
        "silent": ("modality", "video"),
        "video": ("modality", "audio and video"),
    },
    folds=(
        ("01", "11", "20", "21"),
        ("04", "10", "12", "14"),
        ("08", "09", "19", "23"),
        ("03", "05", "07", "24"),
        ("02", "15", "16", "18"),
        ("06", "13", "17", "22"),
    ),
)

"""SSI, on the hub: RAVDESS speech, CREMA-D, TESS and SAVEE in one."""

from serval.corpora.corpus import Corpus

CORPUS = Corpus(
    name="ssi",
    what="acted English speech of four corpora; its speakers are in its train split too",
    language="English",
    clips=1999,
    speakers=121,
    labels={
        "ANG": "angry",
        "CAL": "calm",
        "DIS": "disgust",
        "FEA": "fearful",
        "HAP": "happy",
        "NEU": "neutral",
        "SAD": "sad",
        "SUR": "surprised",
    },
    licence="as of its corpora; see the set's page",
    source="https://huggingface.co/datasets/stapesai/ssi-speech-emotion-recognition",
    cite="its corpora: RAVDESS, CREMA-D, TESS, SAVEE",
    location="hf:stapesai/ssi-speech-emotion-recognition",
    official=True,
    caveats=(
        (
            "the speakers of validation also occur in train: the score of a model trained "
            "on this set says nothing about new speakers"
        ),
        "the emotions are acted: a score says little about spontaneous speech",
    ),
)

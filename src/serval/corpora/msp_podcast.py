"""MSP-Podcast: `Audios/MSP-PODCAST_0001_0008.wav`, labels in `Labels/labels_consensus.csv`."""

from serval.corpora.corpus import Corpus, LabelTable, coded

CORPUS = Corpus(
    name="MSP-Podcast",
    what="spontaneous English speech from podcasts, with dimensions and official splits",
    language="English",
    clips=0,
    speakers=0,
    licence="for research, on request",
    source="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    cite="Lotfian and Busso, Building Naturalistic Emotionally Balanced Speech Corpus, "
    "IEEE Trans. Affective Computing 10(4), 2019",
    grammar=r"MSP-PODCAST_\d+(?:_\d+)+",
    labels=coded(
        "A angry | S sad | H happy | U surprised | F fearful | D disgust | C contempt | "
        "N neutral | O other | X"
    ),
    codes={"speaker": coded("Unknown")},
    tables=(
        LabelTable(
            files=r"labels_con[sc]ensus\.csv",
            key="{FileName}",
            columns={
                "label": "EmoClass",
                "arousal": "EmoAct",
                "valence": "EmoVal",
                "dominance": "EmoDom",
                "speaker": "SpkrID",
                "gender": "Gender",
                "split": "Split_Set",
            },
            required=True,
        ),
        LabelTable(files=r"labels_detailed\.csv", key="{FileName}", votes="EmoClass_Major"),
    ),
    official=True,
)

"""SUBESCO: `M_09_NAME_S_2_FEAR_2.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers

CORPUS = Corpus(
    name="SUBESCO",
    what="acted Bangla speech of 20 actors, ten sentences",
    language="Bangla",
    clips=7000,
    speakers=20,
    licence="CC BY 4.0",
    source="https://zenodo.org/records/4526477",
    cite="Sultana et al., SUST Bangla Emotional Speech Corpus (SUBESCO), PLoS ONE 16(4), 2021",
    grammar=r"(?P<gender>[FM])_(?P<number>\d\d)_[^_/]+_S_(?P<sentence>\d{1,2})_"
    r"(?P<label>ANGRY|DISGUST|FEAR|HAPPY|NEUTRAL|SAD|SURPRISE)_(?P<take>\d)",
    derived={"speaker": "{gender}_{number}"},
    labels=coded(
        "ANGRY angry | DISGUST disgust | FEAR fearful | HAPPY happy | NEUTRAL neutral | SAD sad | "
        "SURPRISE surprised"
    ),
    counts=numbers(
        "angry 1000 disgust 1000 fearful 1000 happy 1000 neutral 1000 sad 1000 surprised 1000"
    ),
    folds=(
        ("F_03", "M_03", "M_08", "M_09"),
        ("F_01", "F_04", "F_10", "M_07"),
        ("F_06", "F_08", "M_05", "M_06"),
        ("F_05", "F_07", "F_09", "M_04"),
        ("F_02", "M_01", "M_02", "M_10"),
    ),
)

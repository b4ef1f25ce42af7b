"""CREMA-D: `AudioWAV/1052_WSI_ANG_XX.wav`."""

from serval.corpora.corpus import Corpus, LabelTable, by_number, coded, numbers

FEMALE = (
    "02 03 04 06 07 08 09 10 12 13 18 20 21 24 25 28 29 30 37 43 46 47 49 52 53 54 55 56 58 60 61 "
    "63 72 73 74 75 76 78 79 82 84 89 91"
)

CORPUS = Corpus(
    name="CREMA-D",
    what="acted English speech of 91 actors, twelve sentences, judged by 2,443 raters",
    language="English",
    clips=7442,
    speakers=91,
    licence="ODbL 1.0",
    source="https://github.com/CheyneyComputerScience/CREMA-D",
    cite="Cao et al., CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, "
    "IEEE Trans. Affective Computing 5(4), 2014",
    grammar=r"(?P<speaker>10(?:0[1-9]|[1-8]\d|9[01]))_"
    r"(?P<text>IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)_"
    r"(?P<label>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<intensity>LO|MD|HI|XX|X)",
    labels=coded("ANG angry | DIS disgust | FEA fearful | HAP happy | NEU neutral | SAD sad"),
    codes={
        "intensity": coded("LO low | MD medium | HI high | XX unspecified | X unspecified"),
        "text": coded(
            "IEO It's eleven o'clock | TIE That is exactly what happened | "
            "IOM I'm on my way to the meeting | IWW I wonder what this is about | "
            "TAI The airplane is almost full | MTI Maybe tomorrow it will be cold | "
            "IWL I would like a new alarm clock | ITH I think I have a doctor's appointment | "
            "DFA Don't forget a jacket | ITS I think I've seen this before | "
            "TSI The surface is slick | WSI We'll stop in a couple of minutes"
        ),
    },
    genders=by_number(1001, 1091, female=FEMALE),
    counts=numbers("neutral 1087 angry 1271 disgust 1271 fearful 1271 happy 1271 sad 1271"),
    tables=(
        LabelTable(
            files=r"VideoDemographics\.csv", of="speaker", key="{ActorID}", columns={"age": "Age"}
        ),
        LabelTable(
            files=r"summaryTable\.csv", key="{FileName}", columns={"voice_vote": "VoiceVote"}
        ),
        LabelTable(
            files=r"finishedResponses\.csv",
            key="{clipName}",
            votes="respEmo",
            meanings=coded("A angry | D disgust | F fearful | H happy | N neutral | S sad"),
            where={"queryType": "1"},
        ),
    ),
    suspects=("1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX"),
)

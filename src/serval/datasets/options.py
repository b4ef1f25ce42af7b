"""What the caller may say about a dataset beside its name."""

from __future__ import annotations

from dataclasses import dataclass


# Without slots, so that the options of a verb can be those of a model and of a set at once.
@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Which part of a dataset to read, and which columns hold what.

    Attributes:
        split: The split to read, or of a fold `fold3.test`, `fold3.train` or `folds`; without it
            `validation` where there is one, else the only one.
        revision: Branch, tag or commit of a hub set; without it the default branch.
        limit: Read no further than this many clips; without it all.
        sample: Draw this many clips by label; without it take all.
        sample_seed: What they are drawn with.
        audio_column: Column with the audio; without it the set's own audio column.
        label_column: Column with the label; without it `emotion`, `label` and the like.
        label_separator: What stands between the labels of one clip in that column, such as `;`;
            without it a text is one label.
        speaker_column: Column that says who speaks; without it `speaker_id` and the like.
        include: Kinds of recordings of a known corpus that are clips on request, with commas:
            `song,video`.
        value_columns: Columns with values of dimensions, with commas, as far as they are there; the
            clips of a table need no label beside them.
    """

    split: str | None = None
    revision: str | None = None
    limit: int | None = None
    sample: int | None = None
    sample_seed: int = 0
    audio_column: str | None = None
    label_column: str | None = None
    label_separator: str | None = None
    speaker_column: str | None = None
    include: str | None = None
    value_columns: str = "arousal,valence,dominance,emoact,emoval,emodom,activation"


@dataclass(frozen=True, kw_only=True)
class LabelledOptions(DatasetOptions):
    """How the clips of a set get the labels of a model.

    Attributes:
        label_map: The name of a preset, `RAW=label,...`, both, or a JSON file.
        drop_unmapped: Leave clips out whose label the model does not know, instead of stopping.
        max_left_out: Share of the set's audio files that may be none of its clips, in [0, 1],
            before nothing is evaluated.
        dimension_columns: `arousal=EmoAct,...`, for a model of dimensions.
        scale: Of the set's values of dimensions, such as `1..7`.
        emotion_columns: `angry=is_angry,sad,...`: a column of 0 and 1 for each of the model's
            emotions, of which a clip may have several.
    """

    label_map: str | None = None
    drop_unmapped: bool = False
    max_left_out: float = 0.01
    dimension_columns: str | None = None
    scale: str | None = None
    emotion_columns: str | None = None

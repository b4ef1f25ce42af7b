"""The scale of ratings: stated, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.errors import ConfigError
from serval.wording import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Scale", "scale_of_text"]

NUMBER = r"[-+]?\d+(?:\.\d+)?"
TEXT = re.compile(rf"\s*({NUMBER})\s*(?:\.\.|,|:|\s+to\s+)\s*({NUMBER})\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The lowest and the highest value that a rating can have."""

    low: float
    high: float

    def __str__(self) -> str:
        """Return it as messages and options write it: `1..7`."""
        return f"{self.low:g}..{self.high:g}"

    @property
    def width(self) -> float:
        """The largest error that there can be."""
        return self.high - self.low

    def to(self, other: Scale, values: Floats) -> Floats:
        """Return values of this scale on another one, end to end.

        Examples:
            >>> import numpy as np
        >>> Scale(low=0, high=1).to(Scale(low=1, high=7), np.array([0.0, 0.5])).tolist()
            [1.0, 4.0]
        """
        return other.low + (values - self.low) * (other.width / self.width)


def scale_of_text(text: str, option: str) -> Scale:
    """Return the scale that is written `LOW..HIGH`.

    Args:
        text: Such as `1..7`.
        option: Where it was given, for the message.

    Raises:
        ConfigError: It is not written so, or has no width.
    """
    found = TEXT.fullmatch(text)
    low, high = (float(end) for end in found.groups()) if found else (0.0, 0.0)
    if not low < high:
        raise ConfigError(f"{option} {shown(text)} is no scale; write its ends, such as 1..7")
    return Scale(low=low, high=high)

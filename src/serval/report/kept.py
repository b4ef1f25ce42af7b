"""The sounds of pages that are there already, so that a page made again need not encode them."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from serval.files import is_file
from serval.report.sound import PageSound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["RECIPE", "audio_file", "audio_folder", "kept_sounds", "sound_block"]

RECIPE = 1
"""Raised when sounds are made in another way: those of earlier pages are then made again."""

BLOCK = re.compile(r'<script type="application/json" id="sounds">(.*?)</script>', re.DOTALL)


def audio_folder(page: Path) -> Path:
    """Return where the audio of a page lies that has too much of it."""
    return page.with_name(f"{page.stem}-audio")


def audio_file(sha256: str) -> str:
    """Return the name of a sound in that folder; `sha256` is of the clip that was evaluated."""
    return f"{sha256[:20]}.ogg"


def sound_block(sha256: str, sound: PageSound, src: str) -> dict[str, Any]:
    """Return a sound as a page holds it, in plain JSON types."""
    pictures = {"outline": _text(sound.outline), "mel": _text(sound.mel)}
    return {"src": src, **pictures, "of": sha256, "recipe": RECIPE}


def kept_sounds(pages: Iterable[Path]) -> dict[str, PageSound]:
    """Return the sounds of earlier pages by the sha256 of their clips.

    What cannot be read, as of a page that somebody changed, is left out: it is made again.
    """
    kept: dict[str, PageSound] = {}
    for page in dict.fromkeys(pages):
        for block in _blocks(page):
            with suppress(KeyError, TypeError, ValueError, OSError):
                kept[_clip_of(block)] = _sound(block, page)
    return kept


def _blocks(page: Path) -> list[Any]:
    if not is_file(page):
        return []
    try:
        found = BLOCK.search(page.read_text(encoding="utf-8"))
        blocks = json.loads(found[1]) if found else []
    except (OSError, ValueError, RecursionError):
        return []
    return blocks if isinstance(blocks, list) else []


def _clip_of(block: Mapping[str, Any]) -> str:
    if block["recipe"] != RECIPE or not re.fullmatch("[0-9a-f]{64}", block["of"]):
        raise ValueError(block["recipe"])
    return str(block["of"])


def _sound(block: Mapping[str, Any], page: Path) -> PageSound:
    inside, _, text = block["src"].partition("base64,")
    ogg = (
        _bytes(text)
        if inside.startswith("data:")
        else (audio_folder(page) / audio_file(block["of"])).read_bytes()
    )
    return PageSound(ogg=ogg, outline=_bytes(block["outline"]), mel=_bytes(block["mel"]))


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")

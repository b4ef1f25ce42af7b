"""Files of settings that other people write: bounded, in UTF-8, and plain values inside.

Whatever such a file holds, reading it ends in values that can be compared, converted and printed,
or in a `ValueError` of one line.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from serval.files import is_file
from serval.wording import one_line

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 1 << 26
"""A `stress.json` of all perturbations has some MB."""

MOST_YAML_BYTES = 1 << 19
"""PyYAML reads some hundred kB a second; a plan of 1,000 models has 100 kB."""

MOST_NODES = 200_000
"""Values in YAML after its aliases are written out."""

DEEPEST = 64
"""Lists within lists; what people write has ten."""

LARGEST = 10**30
"""Integers from here on are no count, size or time, and too long ones cannot be printed."""

BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError)
"""What parsers raise where the type that is named is not the one that is written."""


def json_in(path: Path) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what a JSON file holds; a `ValueError` says why it cannot be read."""
    return json_of(text_in(path))


def json_of(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what JSON says; a `ValueError` says why it cannot be read."""
    return _plain(json.loads, text)


def toml_in(path: Path) -> Mapping[str, Any]:
    """Return what a TOML file holds; a `ValueError` says why it cannot be read."""
    content: Mapping[str, Any] = _plain(tomllib.loads, text_in(path))
    return content


def yaml_in(path: Path) -> Any:  # noqa: ANN401 - whatever YAML holds
    """Return what a YAML file holds; a `ValueError` says why it cannot be read."""
    return yaml_of(text_in(path))


def tagged_yaml_in(path: Path) -> Any:  # noqa: ANN401 - whatever YAML holds
    """Return what a YAML file holds whose tags name classes: none is made.

    A tag becomes the entry `!` of a map, and is left out elsewhere. A `ValueError` says why the
    file cannot be read.
    """
    return yaml_of(text_in(path), _TagsAsNames)


class _TagsAsNames(yaml.SafeLoader):  # type: ignore[misc]
    """Reads values with tags of other people's programs as the plain values that they are."""


def _plain_value(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return {"!": tag, **loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_TagsAsNames.add_multi_constructor("!", _plain_value)


def yaml_of(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:  # noqa: ANN401 - whatever YAML holds
    """Return what YAML says, refusing what would grow without bound.

    Raises:
        ValueError: It cannot be read; the message is one line.

    Examples:
        >>> yaml_of("models: [a, b]")
        {'models': ['a', 'b']}
        >>> yaml_of("a: &a [*a]")
        Traceback (most recent call last):
        ...
        ValueError: its aliases repeat too much; write it without them
        >>> yaml_of("{a: 1, b: 2, a: 3}")
        Traceback (most recent call last):
        ...
        ValueError: line 1 has the key a a second time; leave one
    """
    if len(text) > MOST_YAML_BYTES:
        raise ValueError(f"it is longer than {MOST_YAML_BYTES >> 10} kB")
    return _plain(lambda said: _constructed(loader(said)), text)


def text_in(path: Path) -> str:
    """Return what is written in a regular file; a `ValueError` says why it cannot be read."""
    try:
        if path.exists() and not is_file(path):
            raise ValueError("it is a folder, a device or a pipe")
        with path.open("rb") as file:
            content = file.read(min(path.stat().st_size, MOST_BYTES) + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES >> 20} MB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except OSError as error:
        raise ValueError(error.strerror or one_line(error)) from error


def _constructed(loader: yaml.SafeLoader) -> object:
    root = loader.get_single_node()
    if root is None:
        return None
    _refuse_twice(root, set())
    if _n_nodes(root, {}) > MOST_NODES:
        raise ValueError("its aliases repeat too much; write it without them")
    return loader.construct_document(root)


def _refuse_twice(node: yaml.Node, seen: set[int]) -> None:
    """Raise where a map has a key twice: YAML forbids it, and PyYAML keeps the last."""
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))
    keys: set[tuple[str, str]] = set()
    for part in node.value:
        key, *inner = part if isinstance(part, tuple) else (None, part)
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if (key.tag, key.value) in keys:
                line = key.start_mark.line + 1
                raise ValueError(f"line {line} has the key {key.value} a second time; leave one")
            keys.add((key.tag, key.value))
        for one in inner:
            _refuse_twice(one, seen)


def _n_nodes(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node has with every alias written out; many if it holds itself."""
    if id(node) not in known:
        known[id(node)] = MOST_NODES + 1
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        inner = [part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_n_nodes(part, known) for part in inner)
    return known[id(node)]


def _plain(parse: Callable[[str], Any], text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    """Return what the text says, once it is sure that anybody can walk through it and print it."""
    try:
        value = parse(text)
    except (RecursionError, MemoryError):
        raise ValueError("nested too deep") from None
    except BROKEN as error:
        raise ValueError(one_line(error)[:300]) from error
    _refuse_odd(value, DEEPEST)
    return value


def _refuse_odd(value: object, deepest: int) -> None:
    if deepest == 0:
        raise ValueError("nested too deep")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_odd(key, deepest - 1)
            _refuse_odd(inner, deepest - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_odd(inner, deepest - 1)
    elif isinstance(value, int) and abs(value) >= LARGEST:
        raise ValueError("it holds a whole number of more than 30 digits")

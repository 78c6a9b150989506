"""A YAML text as plain data that remembers on which line each field stands.

Here: YAML itself: syntax, duplicate keys, what of YAML is not allowed in a profile. Not here: what
a profile means (`check`).

The node tree is read instead of ruamel's round-trip objects, so that all duplicate keys of a file
are found, not just the first, and every key and value knows its line.
"""

import re
from typing import Any, NamedTuple, TypeAlias, cast

from hall_profiles.errors import Problem
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

FieldPath = tuple[str | int, ...]

#: What a profile can hold at any place, right or wrong.
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

#: A profile is a few KB; ruamel takes seconds for a megabyte.
MAX_BYTES = 64 * 1024

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {
    _TAG + name for name in ["str", "int", "float", "bool", "null", "timestamp", "map", "seq"]
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")

#: What would be right, by what the parser says is wrong.
_HINTS = (
    ("'\\t'", "indent with spaces, YAML allows no tabs"),
    ("mapping values are not allowed", 'one field a line; quote a text with ": " in it'),
    ("undefined alias", "quote a text that begins with *"),
    ("duplicate anchor", "quote a text that begins with &"),
    ("cannot start any token", "quote a text that begins with a special character"),
    ("single document", "one document a file, without a second ---"),
    ("end of stream", "close the quote that is opened here"),
    ("expected ',' or", 'close the bracket, a comma between items; quote a text with { or ": "'),
    ("could not find expected ':'", "a field is written name: value"),
)
_ANY_HINT = "check indentation, quotes and brackets here and in the line above"


class Source(NamedTuple):
    """The data of one file, the line of each field, and what is wrong with the YAML itself."""

    file: str
    data: Value
    lines: dict[FieldPath, int]
    problems: list[Problem]

    def line(self, path: FieldPath) -> int:
        """The line of a field, or of the nearest field around it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def add(self, path: FieldPath, what: str, right: str) -> None:
        """Notes what is wrong at a field and what would be right."""
        self.problems.append(Problem(self.file, self.line(path), dotted(path), what, right))


def dotted(path: FieldPath) -> str:
    """`driver.marks[1]` for `("driver", "marks", 0)`: people count from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text


def parse(text: str, file: str, kind: str = "profile") -> Source:
    """The data in `text`, which is a `kind`; `file` is only named. What is wrong with the YAML is
    in `problems`."""
    source = Source(file, None, {(): 1}, [])
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        source.add((), "the file is over 64 KB", f"a {kind}, which takes a few KB")
        return source
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        root: Node | None = yaml.compose(text)  # pyright: ignore[reportUnknownMemberType]
    except MarkedYAMLError as error:
        source.problems.append(_syntax_problem(file, error))
        return source
    except RecursionError:
        source.add((), "not YAML: nested too deeply", f"a {kind} has seven levels")
        return source
    except (YAMLError, ValueError) as error:
        # ReaderError (control characters), a %YAML line that is none.
        what = " ".join(str(error).split())[:100]
        source.problems.append(Problem(file, 1, "", f"not YAML: {what}", "plain UTF-8 text"))
        return source
    reader = _Reader(source)
    return source._replace(data=reader.plain(root, ()) if root else None)


def _syntax_problem(file: str, error: MarkedYAMLError) -> Problem:
    # ruamel's errors are not annotated: a problem and a context, both texts or None, with marks.
    details = cast("Any", error)
    mark = details.problem_mark or details.context_mark
    if "end of stream" in str(details.problem) and details.context_mark:
        mark = details.context_mark  # where the quote was opened
    what = ", ".join(str(part) for part in (details.problem, details.context) if part)
    right = next((hint for sign, hint in _HINTS if sign in what), _ANY_HINT)
    return Problem(file, int(mark.line) + 1 if mark else 1, "", f"not YAML: {what}", right)


class _Reader:
    """Turns a node tree into dicts, lists and scalars, and fills in the lines."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[int] = set()

    def plain(self, node: Node, path: FieldPath) -> Value:
        if id(node) in self._seen:
            # The node's own line is that of its anchor, so the field's or list's line is told.
            self._source.add(path, "is a YAML alias", "the value itself, written out")
            return None
        self._seen.add(id(node))
        self._source.lines.setdefault(path, _line(node))
        if _tag(node) not in _PLAIN_TAGS:
            self._source.add(path, f"has the YAML tag {_tag(node)}", "a plain value without a tag")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            items = cast("list[Node]", node.value)
            return [self.plain(item, (*path, index)) for index, item in enumerate(items)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Value]:
        data: dict[str, Value] = {}
        for key, value in cast("list[tuple[Node, Node]]", node.value):
            line = _line(key)
            if not isinstance(key, ScalarNode) or _tag(key) != _TAG + "str":
                what = f"the key {_text(key)} is not a name"
                self._add_at(line, path, what, "a name of letters, digits and _")
                continue
            here = (*path, _text(key))
            if here in self._source.lines:
                first = self._source.lines[here]
                self._add_at(line, here, f"is there twice, first in line {first}", "only one")
                continue
            self._source.lines[here] = line
            data[_text(key)] = self.plain(value, here)
        return data

    def _add_at(self, line: int, path: FieldPath, what: str, right: str) -> None:
        problem = Problem(self._source.file, line, dotted(path), what, right)
        self._source.problems.append(problem)


def _scalar(node: Node) -> Value:
    """The value of a scalar. A number that is no plain decimal integer stays text or a float."""
    text = _text(node)
    kind = _tag(node).removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "float":
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _text(node: Node) -> str:
    return str(cast("Any", node.value)) if isinstance(node, ScalarNode) else "[...]"


def _line(node: Node) -> int:
    return int(cast("Any", node).start_mark.line) + 1


def _tag(node: Node) -> str:
    return str(cast("Any", node).tag)

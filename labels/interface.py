"""The labelling page of a taxonomy in Label Studio: its configuration, and tags to and from a page's results.

Every tag is an option whose value is its title, for people, and whose alias is its path, for data, so that a title
can be reworded without orphaning a label. Every group also has an explicit option for "none of them": an empty
answer is a decision, and what was left out is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from labels.schema import TagLists
from model.taxonomy import Group, Tag, Taxonomy

NONE = "(none)"
"""The alias of the option for "none of them"; no tag's path can have brackets."""
LANGUAGES = ("en", "fr", "it")
FIELDS = ("Choices", "Taxonomy")
"""The elements of a page that ask for tags."""
_NONE_TITLE = {"en": "None of these", "fr": "Aucun de ceux-ci", "it": "Nessuno di questi"}
_HOTKEYS = "123456789qwertyuiopasdfghjkl"
_TEXT = "text"
_LARGE, _SMALL = "font-size: 20px; line-height: 1.5", "font-size: 14px; font-weight: normal"
Result = list[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What one result says: the tags of every group that was answered, and what about it is illegal."""

    tags: TagLists
    problems: tuple[str, ...] = ()


def configuration(taxonomy: Taxonomy, *, language: str = "en") -> str:
    """Label Studio's XML for `taxonomy`, with titles and descriptions in `language` (else English, else the path).

    Flat groups are a row of options with keys to press; nested ones a tree that can be searched.
    """
    view = Element("View")
    SubElement(view, "Header", value="$about", size="6", style=_SMALL)
    SubElement(SubElement(view, "View", style=_LARGE), "Text", name=_TEXT, value="$text", granularity="word")
    keys = iter(_HOTKEYS)
    for group in taxonomy.groups:
        SubElement(view, "Header", value=_said(group.title, language, group.name), size="5")
        if group.description:
            SubElement(view, "Header", value=_said(group.description, language, ""), size="6", style=_SMALL)
        if group.nested:
            _tree(view, group, language)
        else:
            _row(view, group, language, keys)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def fits(schema: str, taxonomy: Taxonomy) -> list[str]:
    """What keeps a project's configuration from being labelled with `taxonomy`; nothing if all of it is there.

    Titles, keys, order and colours are the project's own business; names and aliases are not.
    """
    try:
        found = options(schema)
    except (ElementTree.ParseError, UnicodeEncodeError):
        return ["its configuration is no XML"]
    except RecursionError:
        return ["its options nest too deep"]
    problems = []
    for group in taxonomy.groups:
        there, wanted = found.get(group.name), {NONE, *group.paths}
        if there is None:
            problems.append(f"no field {group.name!r}")
            continue
        if missing := sorted(wanted - there):
            problems.append(f"{group.name} lacks {', '.join(missing)}")
        if extra := sorted(there - wanted):
            problems.append(f"{group.name} has unknown {', '.join(extra)}")
    return problems


def shows(schema: str, taxonomy: Taxonomy) -> list[str]:
    """What keeps a project from showing suggestions: what `fits` says, and fields that they do not fill in as they are.

    Of a field of another kind, or to something else, Label Studio refuses every suggestion; others it shows in part.
    """
    if problems := fits(schema, taxonomy):
        return problems
    view = ElementTree.fromstring(schema)  # noqa: S314  as below
    fields = {field_.get("name"): field_ for kind in FIELDS for field_ in view.iter(kind)}
    shown = {field_.get("name"): field_.get("value") for field_ in view.iter("Text")}
    if shown.get(_TEXT) != f"${_TEXT}":
        problems.append(f"no Text {_TEXT!r} with the value ${_TEXT}")
    for group in taxonomy.groups:
        field_, wanted = fields[group.name], "Taxonomy" if group.nested else "Choices"
        if field_.tag != wanted:
            problems.append(f"{group.name} is {field_.tag}, not {wanted}")
        elif not group.nested and group.kind == "multi-label" and field_.get("choice") != "multiple":
            problems.append(f'{group.name} lacks choice="multiple"')
        if field_.get("toName") != _TEXT:
            problems.append(f"{group.name} is not to {_TEXT!r}")
    return problems


def options(schema: str) -> dict[str, set[str]]:
    """Field → the aliases (or values) of its options, joined to paths where they nest; ParseError if it is no XML."""
    view = ElementTree.fromstring(schema)  # noqa: S314  the team's own server's, and expat keeps from bombs

    def below(element: Element, prefix: str) -> Iterator[str]:
        for choice in element.findall("Choice"):
            path = prefix + (choice.get("alias") or choice.get("value") or "")
            yield path
            yield from below(choice, f"{path}/")

    return {field_.get("name", ""): set(below(field_, "")) for kind in FIELDS for field_ in view.iter(kind)}


def to_result(tags: TagLists, taxonomy: Taxonomy) -> Result:
    """Tags as Label Studio's result: what a page shows as given. A group that is not in `tags` is left open."""
    result: Result = []
    for group in taxonomy.groups:
        if group.name not in tags:
            continue
        result.append(to_region(group, group.deepest(tags[group.name]) or [NONE]))
    return result


def to_region(group: Group, paths: Sequence[str]) -> dict[str, Any]:
    """The part of a result that answers one group."""
    kind = "taxonomy" if group.nested else "choices"
    value = [path.split("/") for path in paths] if group.nested else list(paths)
    return {"from_name": group.name, "to_name": _TEXT, "type": kind, "value": {kind: value}}


def from_region(region: Mapping[str, Any]) -> list[str] | None:
    """The paths that one part of a result gives, NONE among them; None if it says no tags."""
    kind, value = str(region.get("type")), region.get("value")
    if not isinstance(value, Mapping) or not isinstance(value.get(kind), list):
        return None
    return ["/".join(map(str, found)) if isinstance(found, list) else str(found) for found in value[kind]]


def from_result(result: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> Answer:
    """Read a result, which Label Studio stores without checking it. Former names count as present ones.

    A group whose answer is illegal in any part (an unknown tag, several tags of an exclusive group, none together
    with a tag) is left unanswered, and `problems` says why. A group that was not answered is not in `tags`.
    """
    given: dict[str, list[str]] = {}
    problems = []
    groups = {group.name: group for group in taxonomy.groups}
    for region in result:
        name, paths = str(region.get("from_name")), from_region(region)
        if name not in groups:
            problems.append(f"unknown field {name!r}")
        elif paths is None:
            problems.append(f"{name}: unreadable answer")
        else:
            given.setdefault(name, []).extend(paths)
    tags = {}
    for name, paths in given.items():
        legal, fault = _legal(groups[name], paths)
        if fault:
            problems.append(f"{name}: {fault}")
        else:
            tags[name] = legal
    return Answer(tags, tuple(problems))


def _row(view: Element, group: Group, language: str, keys: Iterator[str]) -> None:
    choice = "multiple" if group.kind == "multi-label" else "single"
    field_ = SubElement(
        view, "Choices", name=group.name, toName=_TEXT, choice=choice, showInline="true", required="true"
    )
    for tag in group.tags:
        _option(field_, tag, language, alias=tag.path).attrib |= _key(keys)
    none = SubElement(field_, "Choice", value=_said(_NONE_TITLE, language, NONE), alias=NONE)
    none.attrib |= _key(keys)


def _tree(view: Element, group: Group, language: str) -> None:
    title = _said(group.title, language, group.name)
    tree = SubElement(view, "Taxonomy", name=group.name, toName=_TEXT, required="true", placeholder=title)
    tree.attrib |= {"showFullPath": "true", "pathSeparator": " / "}
    if group.kind == "exclusive":
        tree.set("maxUsages", "1")
    SubElement(tree, "Choice", value=_said(_NONE_TITLE, language, NONE), alias=NONE)
    nodes = {"": tree}
    for tag in sorted(group.tags, key=lambda tag: tag.path.count("/")):  # parents before their children
        nodes[tag.path] = _option(nodes[tag.parent or ""], tag, language, alias=tag.path.rpartition("/")[2])


def _option(parent: Element, tag: Tag, language: str, *, alias: str) -> Element:
    option = SubElement(parent, "Choice", value=_said(tag.title, language, alias), alias=alias)
    if tag.description:
        option.set("hint", _said(tag.description, language, ""))
    return option


def _key(keys: Iterator[str]) -> dict[str, str]:
    key = next(keys, "")
    return {"hotkey": key} if key else {}


def _said(texts: Mapping[str, str], language: str, otherwise: str) -> str:
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "") or otherwise


def _legal(group: Group, paths: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The present names of `paths`, or what is wrong with them."""
    chosen = [path for path in dict.fromkeys(paths) if path != NONE]
    if NONE in paths and chosen:
        return (), f"none of them together with {', '.join(chosen)}"
    known = {*group.paths, *(old for tag in group.tags for old in tag.former)}
    if unknown := [path for path in chosen if path not in known]:
        return (), f"unknown {', '.join(json.dumps(path, ensure_ascii=False) for path in unknown)}"
    present = group.deepest(group.current(path) for path in chosen)
    if group.kind == "exclusive" and len(present) > 1:
        return (), f"several tags of an exclusive group: {', '.join(present)}"
    return tuple(present), ""

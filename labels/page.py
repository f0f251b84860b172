"""A project's labelling page while its tags are changed, and after that."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from labels.interface import FIELDS, NONE, configuration
from model.taxonomy import Taxonomy


def widened(schema: str, taxonomy: Taxonomy) -> str:
    """The page `schema` with the tags of `taxonomy` beside its own: answers fit it before and after they are renamed.

    Every field stays of its kind, since Label Studio refuses a page whose kind of field does not fit an answer that is
    stored. Groups that the page does not have stay out.
    """
    view = ElementTree.fromstring(schema)  # noqa: S314  the team's own server's, and expat keeps from bombs
    groups = {group.name: group for group in taxonomy.groups}
    for field in _fields(view):
        if field.get("name") in groups:
            for path in (NONE, *groups[field.get("name", "")].paths):
                parent = field
                for part in path.split("/") if field.tag == "Taxonomy" else [path]:
                    parent = _option(parent, part)
    return ElementTree.tostring(view, encoding="unicode")


def renewed(schema: str, taxonomy: Taxonomy, *, language: str) -> str:
    """The page of `taxonomy`, with what `schema` asks for besides tags, such as a comment."""
    view = ElementTree.fromstring(configuration(taxonomy, language=language))  # noqa: S314  our own
    there = ElementTree.fromstring(schema)  # noqa: S314  as above
    view.extend(field for field in there.iter() if field.get("toName") and field.tag not in FIELDS)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def _fields(view: Element) -> list[Element]:
    return [field for kind in FIELDS for field in view.iter(kind)]


def _option(parent: Element, alias: str) -> Element:
    for choice in parent.findall("Choice"):
        if alias == (choice.get("alias") or choice.get("value")):
            return choice
    return SubElement(parent, "Choice", value=alias, alias=alias)

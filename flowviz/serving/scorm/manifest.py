"""``imsmanifest.xml``: tells an LMS what a package holds, in which order, and what to open.

SCORM 1.2, "Content Aggregation Model", section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

NAME = "imsmanifest.xml"
"""Of the file, which stands at the package's root."""

MARK = "Written by flowviz scorm"
"""In the manifest, by which a package is known again."""

NAMESPACES = {
    "xmlns": "http://www.imsproject.org/xsd/imscp_rootv1p1p2",
    "xmlns:adlcp": "http://www.adlnet.org/xsd/adlcp_rootv1p2",
}
COURSE = "flowviz"
TITLE = "Normalizing flows you can touch"


@dataclass(frozen=True)
class Item:
    """What an LMS lists, opens and keeps a status of.

    Attributes:
        name: of letters, digits, ``-`` and ``_``.
        title: in the LMS's list.
        group: the heading under which it is listed there.
        files: their names in the package, the one that is opened first.
    """

    name: str
    title: str
    group: str
    files: Sequence[str]


def manifest(items: Iterable[Item]) -> bytes:
    """The manifest of a course of these items, in their order."""
    items = list(items)
    root = Element("manifest", {"identifier": f"{COURSE}-package", "version": "1.0", **NAMESPACES})
    root.append(ElementTree.Comment(MARK))
    metadata = SubElement(root, "metadata")
    SubElement(metadata, "schema").text = "ADL SCORM"
    SubElement(metadata, "schemaversion").text = "1.2"
    organizations = SubElement(root, "organizations", default=COURSE)
    course = SubElement(organizations, "organization", identifier=COURSE)
    SubElement(course, "title").text = TITLE
    for number, (title, members) in enumerate(groupby(items, key=lambda item: item.group), 1):
        group = _listed(course, f"group-{number}", title)
        for item in members:
            _listed(group, f"item-{item.name}", item.title, identifierref=f"files-{item.name}")
    resources = SubElement(root, "resources")
    for item in items:
        _resource(resources, item)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _listed(parent: Element, identifier: str, title: str, **opens: str) -> Element:
    """A line of the LMS's list; without ``identifierref`` it is a heading."""
    item = SubElement(parent, "item", {"identifier": identifier, "isvisible": "true", **opens})
    SubElement(item, "title").text = title
    return item


def _resource(parent: Element, item: Item) -> None:
    attributes = {
        "identifier": f"files-{item.name}",
        "type": "webcontent",
        "adlcp:scormtype": "sco",
        "href": item.files[0],
    }
    resource = SubElement(parent, "resource", attributes)
    for file in item.files:
        SubElement(resource, "file", href=file)

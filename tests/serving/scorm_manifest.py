"""What SCORM 1.2 asks of a manifest, written down by hand.

The elements, their order and their attributes are those of its two schemas, IMS Content Packaging
1.1.2 (``imscp_rootv1p1p2``) and ADL's additions (``adlcp_rootv1p2``), as far as a manifest of ours
may go; the rest is said in the Content Aggregation Model, 2.3.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

IMSCP = "{http://www.imsproject.org/xsd/imscp_rootv1p1p2}"
ADLCP = "{http://www.adlnet.org/xsd/adlcp_rootv1p2}"

CHILDREN = {
    "manifest": "metadata? organizations resources manifest*",
    "metadata": "schema? schemaversion?",
    "organizations": "organization*",
    "organization": "title? item* metadata?",
    "item": "title? item* metadata?",
    "resources": "resource*",
    "resource": "metadata? file* dependency*",
    **dict.fromkeys(("schema", "schemaversion", "title", "file", "dependency"), ""),
}
"""Of each element its children, in the order in which they must stand."""

ATTRIBUTES = {
    "manifest": "identifier version?",
    "organizations": "default?",
    "organization": "identifier structure?",
    "item": "identifier identifierref? isvisible? parameters?",
    "resource": f"identifier type href? {ADLCP}scormtype?",
    "file": "href",
    "dependency": "identifierref",
}
LONGEST = {"schema": 100, "schemaversion": 20, "title": 200}


def objections(root: Element) -> list[str]:
    """What SCORM 1.2 has against a manifest; nothing where it is one."""
    found = []
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        name = element.tag.removeprefix(IMSCP)
        children = [c.tag.removeprefix(IMSCP) for c in element if isinstance(c.tag, str)]
        order = "".join(
            rf"(?:{word.rstrip('?*')} ){word[-1] if word[-1] in '?*' else ''}"
            for word in CHILDREN.get(name, "no-such-element").split()
        )
        if not re.fullmatch(order, "".join(f"{child} " for child in children)):
            found.append(f"{name} holds {children}")
        known = ATTRIBUTES.get(name, "").split()
        required = {word for word in known if not word.endswith("?")}
        if not required <= set(element.attrib) <= {word.rstrip("?") for word in known}:
            found.append(f"{name} has {sorted(element.attrib)}")
        if len(element.text or "") > LONGEST.get(name, 2000):
            found.append(f"{name} is too long")
    names = [e.get("identifier", "") for e in root.iter() if "identifier" in e.attrib]
    found += [f"{n!r} is no name" for n in names if not re.fullmatch(r"[A-Za-z_][\w.-]*", n)]
    found += [f"{n!r} is there twice" for n in set(names) if names.count(n) > 1]
    resources = {r.get("identifier"): r for r in root.iter(f"{IMSCP}resource")}
    for item in root.iter(f"{IMSCP}item"):
        if item.find(f"{IMSCP}title") is None:
            found.append(f"{item.get('identifier')} has no title")
        if item.get("isvisible") not in (None, "true", "false"):
            found.append(f"{item.get('identifier')} is visible, or is it?")
        opens = item.get("identifierref")
        if opens is not None and opens not in resources:
            found.append(f"{opens} is no resource")
    for name, resource in resources.items():
        if resource.get(f"{ADLCP}scormtype") not in ("sco", "asset"):
            found.append(f"{name} is neither a SCO nor an asset")
        if resource.get("href") not in [file.get("href") for file in resource]:
            found.append(f"{name} does not list what it opens")
    organizations = root.find(f"{IMSCP}organizations")
    listed = [o.get("identifier") for o in organizations] if organizations is not None else []
    if organizations is None or organizations.get("default") not in listed:
        found.append("no organization is the default")
    schema = [
        root.findtext(f"{IMSCP}metadata/{IMSCP}{part}") for part in ("schema", "schemaversion")
    ]
    if schema != ["ADL SCORM", "1.2"]:
        found.append(f"it is of {schema}")
    return found

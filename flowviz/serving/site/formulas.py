"""Formulas as MathML, which browsers draw by themselves."""

from __future__ import annotations

import re
from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
THIN = "0.167em"
_FUNCTIONS = frozenset({"log", "ln", "exp", "det", "min", "max", "sin", "cos", "tanh"})
_ORDINARY = frozenset({"mi", "mn", "msub", "msup", "msubsup", "mover", "mfrac", "mrow"})
_PARTS = {
    **dict.fromkeys(("mfrac", "msub", "msup", "mover", "munder"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}

ElementTree.register_namespace("", NAMESPACE)


def mathml(tex: str, *, display: bool) -> str:
    """A formula of TeX as a ``<math>`` element.

    Args:
        tex: without its dollars.
        display: on lines of its own; otherwise in the text.

    Raises:
        ValueError: what the formula says is not known, or not all of it came through.
    """
    # It is needed by who writes a site alone.
    from latex2mathml import converter

    unknown = f"the formula {tex!r} cannot be written as MathML"
    try:
        text = converter.convert(_known(tex), display="block" if display else "inline")
        root = ElementTree.fromstring(text)
    except Exception as error:  # a dozen kinds of its own, which share nothing but this
        raise ValueError(f"{unknown}: {error!r}") from error
    for element in root.iter():
        if len(element) != _PARTS.get(_tag(element), len(element)):
            raise ValueError(f"{unknown}: a {_tag(element)} of it lacks a part")
        _space(element)
    for element in root.iter():
        _of_today(element)
    if left := re.search(r"[\\&{}#]", "".join(root.itertext())):
        raise ValueError(f"{unknown}: {left[0]!r} is left")
    return ElementTree.tostring(root, encoding="unicode")


def _known(tex: str) -> str:
    r"""The same in the words that the converter knows.

    ``\!`` only takes back space that TeX puts in and MathML does not. Script letters are letters
    of their own in MathML Core, which the converter knows if they stand in braces.
    """
    tex = re.sub(r"\\mathcal\s+(\w)", r"\\mathcal{\1}", tex)
    tex = re.sub(r"(\\(?:begin|end)){aligned}", r"\1{align*}", tex)
    return tex.replace(r"\!", "").strip()


def _space(parent: ElementTree.Element) -> None:
    """Set functions off as TeX does: a thin space on either side, but none at a bracket."""
    if _tag(parent) not in ("math", "mrow", "mtd", "mstyle"):
        return
    spaced: list[ElementTree.Element] = []
    children = list(parent)
    for i, child in enumerate(children):
        before, after = children[i - 1 : i], children[i + 1 : i + 2]
        function = _is_function(child)
        if function and before and (_tag(before[0]) in _ORDINARY or before[0].text in (")", "]")):
            spaced.append(_thin())
        spaced.append(child)
        if function and after and (_tag(after[0]) != "mo" or after[0].text not in tuple("([|)],.")):
            spaced.append(_thin())
    parent[:] = spaced


def _is_function(element: ElementTree.Element) -> bool:
    """Whether this is a function's name, alone or with its indices."""
    name = element[0] if _tag(element) in ("msub", "msup", "munder") else element
    return _tag(name) in ("mi", "mo") and (name.text in _FUNCTIONS or _is_word(name))


def _is_word(element: ElementTree.Element) -> bool:
    r"""Whether this is a name that the converter makes an operator, as of ``\operatorname``."""
    text = element.text or ""
    return _tag(element) == "mo" and len(text) > 1 and text.isalpha()


def _of_today(element: ElementTree.Element) -> None:
    """What browsers took from MathML 3 and left out of MathML Core, in Core's words."""
    tag = _tag(element)
    if tag == "mtd" and (side := element.attrib.pop("columnalign", "")):
        element.set("style", f"text-align: {side}; padding-inline: 0")
    elif tag == "mtable":
        element.attrib.pop("columnspacing", None)
        element.attrib.pop("rowspacing", None)
    elif tag == "mi" and element.text == "~":
        element.tag, element.text = f"{{{NAMESPACE}}}mo", "\u223c"
    elif tag == "mo" and element.text == "∞":
        element.tag = f"{{{NAMESPACE}}}mi"
    elif _is_word(element):
        element.set("lspace", "0")
        element.set("rspace", "0")


def _thin() -> ElementTree.Element:
    return ElementTree.Element(f"{{{NAMESPACE}}}mspace", {"width": THIN})


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]

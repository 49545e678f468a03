"""What every answer of the server tells the browser to allow."""

from __future__ import annotations

import ipaddress
import os
import re

from tornado import httputil, web

FRAME_ANCESTORS = "FLOWVIZ_FRAME_ANCESTORS"
"""The variable that names the sites whose pages may show ours in a frame."""

_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_ORIGIN = re.compile(rf"https?://((\*\.)?{_NAME}(\.{_NAME})*|\[[0-9a-f:.]+\])(:\d{{1,5}})?", re.I)


def content_security_policy() -> str:
    """The policy: scripts, styles and connections of this server alone, and who may frame it.

    Raises:
        ValueError: :data:`FRAME_ANCESTORS` holds anything but sites.
    """
    return "; ".join(
        (
            "default-src 'self' data: blob:",
            # Widgets are ES modules imported from blobs; JupyterLab compiles its schemas.
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
            "style-src 'self' 'unsafe-inline'",
            f"frame-ancestors {_frame_ancestors()}",
        )
    )


def self_contained_policy() -> str:
    """The policy for pages that hold all they need: their engine compiles WebAssembly and nothing
    else, and they connect to nobody.

    Raises:
        ValueError: as of :func:`content_security_policy`.
    """
    return "; ".join(
        (
            "default-src 'none'",
            # The engine is a module, and its worker a copy of it, both made from the page's text.
            "script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:",
            "worker-src blob:",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {_frame_ancestors()}",
        )
    )


def _frame_ancestors() -> str:
    """Who may show the pages in a frame: by default only this server itself."""
    given = os.environ.get(FRAME_ANCESTORS, "").split() or ["'self'"]
    for source in given if given != ["'none'"] else ():
        if source != "'self'" and not _ORIGIN.fullmatch(source):
            raise ValueError(
                f"{FRAME_ANCESTORS}: {source!r} is no site that could show the pages in a frame; "
                "allowed are origins separated by blanks, such as https://course.example.org, "
                "https://*.example.org or http://localhost:8000 (no path, nothing after it), "
                "'self', or 'none' alone"
            )
    return " ".join(given)


def is_loopback(host: str) -> bool:
    """Whether a server that listens on ``host`` can be asked from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SecurityHeaders(web.OutputTransform):
    """Adds the headers to every answer at an address of ours, static files included."""

    policy = "default-src 'self'"
    home = "/"

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        self._ours = request.path.startswith(self.home)

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        if self._ours:
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"  # the address may hold the token
            # Jupyter's own says who may frame a page, and nothing of what the page may load.
            if "default-src" not in headers.get("Content-Security-Policy", ""):
                headers["Content-Security-Policy"] = self.policy
        return status_code, headers, chunk


def security_headers(home: str = "/") -> type[SecurityHeaders]:
    """The transform with the policy of this process's environment.

    Args:
        home: the address that all of ours begin with, in a server that shows others' pages too.
    """
    ours = {"policy": content_security_policy(), "home": home}
    return type("SecurityHeaders", (SecurityHeaders,), ours)

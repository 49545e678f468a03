"""What every answer of the server tells the browser to allow."""

from __future__ import annotations

import ipaddress
import os
import re

from tornado import httputil, web

_ANCESTORS = re.compile(r"('self'|'none'|[\w.:/*-]+)( [\w.:/*-]+)*")


def content_security_policy() -> str:
    """The policy: scripts, styles and connections of this server alone, and who may frame it.

    ``FLOWVIZ_FRAME_ANCESTORS`` names the sites that may embed the pages, as in
    ``https://course.example.org``; by default only this server itself may.

    Raises:
        ValueError: the variable holds anything but a list of sites.
    """
    ancestors = os.environ.get("FLOWVIZ_FRAME_ANCESTORS", "").strip() or "'self'"
    if not _ANCESTORS.fullmatch(ancestors):
        raise ValueError(
            f"FLOWVIZ_FRAME_ANCESTORS={ancestors!r} is not understood; allowed are 'self', "
            f"'none' or sites separated by blanks, such as https://course.example.org"
        )
    return "; ".join(
        (
            "default-src 'self' data: blob:",
            # Widgets are ES modules imported from blobs; JupyterLab compiles its schemas.
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
            "style-src 'self' 'unsafe-inline'",
            f"frame-ancestors {ancestors}",
        )
    )


def is_loopback(host: str) -> bool:
    """Whether a server that listens on ``host`` can be asked from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SecurityHeaders(web.OutputTransform):
    """Adds the headers to every answer, static files included."""

    policy = "default-src 'self'"

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"  # the address may hold the token
        headers["Content-Security-Policy"] = self.policy
        return status_code, headers, chunk


def security_headers() -> type[SecurityHeaders]:
    """The transform with the policy of this process's environment."""
    return type("SecurityHeaders", (SecurityHeaders,), {"policy": content_security_policy()})

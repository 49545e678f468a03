"""Who is the lecturer: the browser that has shown the key, which a cookie remembers."""

from __future__ import annotations

import hmac
import re

from jupyter_server.base.handlers import JupyterHandler

from flowviz.serving.classroom.memory import digest
from flowviz.serving.classroom.room import Classroom


def is_lecturer(handler: JupyterHandler, room: Classroom) -> bool:
    """Whether this browser has shown the key of this class."""
    kept = handler.get_signed_cookie(_cookie(handler), max_age_days=1) or b""
    return hmac.compare_digest(kept, digest(room.key).encode())


def let_in(handler: JupyterHandler, room: Classroom) -> None:
    """Remember the lecturer's browser, which needs no token from now on."""
    handler.set_signed_cookie(
        _cookie(handler),
        digest(room.key),
        expires_days=None,  # as long as the browser is open
        path=handler.base_url,
        httponly=True,
        samesite="Lax",
        secure=handler.request.protocol == "https",
    )
    provider = handler.identity_provider
    if handler.current_user is None:
        provider.set_login_cookie(handler, provider.generate_anonymous_user(handler))


def _cookie(handler: JupyterHandler) -> str:
    """Its name: a machine's cookies are those of all its ports."""
    return re.sub(r"\W", "-", f"flowviz-class-{handler.request.host}")

"""The page for a browser that comes without the token, in our look, and the way out again."""

from __future__ import annotations

import hmac
import re
from urllib.parse import unquote_plus

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.auth.login import LoginFormHandler
from tornado import web

from flowviz.serving.pages import OwnPageHandler


class TokenIdentityProvider(IdentityProvider):
    """Lets in who has the token; there are no passwords, and none can be set."""

    def process_login_form(self, handler: web.RequestHandler) -> User | None:
        given = _token_in(handler.get_argument("password", default=""))
        right = bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())
        return self.generate_anonymous_user(handler) if right else None


class LoginHandler(OwnPageHandler, LoginFormHandler):
    """Asks for the token, and goes on to the address that was asked for, its state included."""

    def _render(self, message: dict[str, str] | None = None) -> None:
        asked = self.get_argument("next", default=self.base_url)
        address = _without_token(asked)
        self.finish(
            self.render_template(
                "login.html", next=address, wrong=message is not None, outdated=address != asked
            )
        )

    def _redirect_safe(self, url: str, default: str | None = None) -> None:
        # A proxy that takes our path off asks for what follows it.
        if url.startswith("/") and not url.startswith(self.base_url):
            url = self.base_url.rstrip("/") + url
        super()._redirect_safe(url, default)


class LogoutHandler(OwnPageHandler):
    """Forgets the browser, which finds itself where the token is asked for."""

    @allow_unauthenticated
    def get(self) -> None:
        self.identity_provider.clear_login_cookie(self)
        self.redirect(self.get_login_url())


def _token_in(text: str) -> str:
    """The token itself, also where somebody pasted the whole address that holds it."""
    found = re.search(r"[?&]token=([^&#\s]+)", text)
    return unquote_plus(found[1]) if found else text.strip()


def _without_token(address: str) -> str:
    """``address`` without a token: it was not the right one, or nobody would be asked."""
    path, _, query = address.partition("?")
    kept = [pair for pair in query.split("&") if not pair.startswith("token=")]
    return f"{path}?{'&'.join(kept)}" if any(kept) else path

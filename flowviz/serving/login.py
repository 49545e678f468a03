"""The page for a browser that comes without the token, in our look, and the way out again."""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import unquote_plus

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.auth.login import LoginFormHandler
from tornado import web
from traitlets import Unicode

from flowviz.serving.guessing import Guesses
from flowviz.serving.pages import OwnPageHandler


class TokenIdentityProvider(IdentityProvider):
    """Lets in who has the token, in the address or typed, or who types the password."""

    password = Unicode("", config=True, help="What may be typed instead of the token, if anything.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guesses = Guesses()
        """What was tried in vain."""

    async def turn(self, handler: web.RequestHandler) -> None:
        """Wait until the visitor may try a token or a password.

        Raises:
            web.HTTPError: 429, too many tries are waiting.
        """
        # Nobody guesses the 192 bits of a token that we draw.
        if self.password or not self.token_generated:
            await self.guesses.turn(_whence(handler))

    async def get_user_token(self, handler: web.RequestHandler) -> User | None:
        if not self.get_token(handler) or self.get_user_cookie(handler):
            return await super().get_user_token(handler)
        await self.turn(handler)
        user = await super().get_user_token(handler)
        if user is None:
            self.guesses.note_wrong(_whence(handler))
        return user

    def process_login_form(self, handler: web.RequestHandler) -> User | None:
        given = _token_in(handler.get_argument("password", default=""))
        if _same(given, self.token) or _same(given, self.password):
            return self.generate_anonymous_user(handler)
        self.guesses.note_wrong(_whence(handler))
        return None


class LoginHandler(OwnPageHandler, LoginFormHandler):
    """Asks for the token, and goes on to the address that was asked for, its state included."""

    @allow_unauthenticated
    async def post(self) -> None:
        provider: Any = self.identity_provider
        await provider.turn(self)
        super().post()

    def _render(self, message: dict[str, str] | None = None) -> None:
        asked = self.get_argument("next", default=self.base_url)
        address = _without_token(asked)
        provider: Any = self.identity_provider
        self.finish(
            self.render_template(
                "login.html",
                next=self._below_us(address),
                wrong=message is not None,
                outdated=address != asked,
                password=bool(provider.password),
            )
        )

    def _redirect_safe(self, url: str, default: str | None = None) -> None:
        super()._redirect_safe(self._below_us(url), default)

    def _below_us(self, url: str) -> str:
        """The same below our path: a proxy that takes it off asks for what follows it."""
        if url.startswith("/") and not url.startswith(self.base_url):
            return self.base_url.rstrip("/") + url
        return url


class LogoutHandler(OwnPageHandler):
    """Forgets the browser, which finds itself where the token is asked for."""

    @allow_unauthenticated
    def get(self) -> None:
        self.identity_provider.clear_login_cookie(self)
        self.redirect(self.get_login_url())


def _whence(handler: web.RequestHandler) -> str:
    return str(handler.request.remote_ip)


def _same(given: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(given.encode(), secret.encode())


def _token_in(text: str) -> str:
    """The token itself, also where somebody pasted the whole address that holds it."""
    found = re.search(r"[?&]token=([^&#\s]+)", text)
    return unquote_plus(found[1]) if found else text.strip()


def _without_token(address: str) -> str:
    """``address`` without a token: it was not the right one, or nobody would be asked."""
    path, _, query = address.partition("?")
    kept = [pair for pair in query.split("&") if not pair.startswith("token=")]
    return f"{path}?{'&'.join(kept)}" if any(kept) else path

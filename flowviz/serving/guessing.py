"""Whoever guesses the token or the password gets ever fewer tries."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

from tornado import web

FREE = 10
"""Wrong answers that an address has, as a class behind one address mistypes now and then."""
PACE = 1.0
"""Seconds between two tries of an address that has used them up."""
PATIENCE = 10.0
"""Seconds that a try waits for its turn; where it would be later, it is refused."""
FORGOTTEN = 600.0
"""Seconds without a try after which an address begins anew."""
REMEMBERED = 10_000
"""Addresses that are remembered; beyond that the one that was longest quiet is forgotten."""


@dataclass
class _Record:
    wrong: int = 0
    tried: float = 0.0
    turn: float = 0.0
    """When the next try is due."""


class Guesses:
    """Lets each address try at its pace; the right answer waits for its turn like any other.

    Otherwise many tries at a time would be as quick as without it: those that are late are wrong.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    async def turn(self, address: str) -> None:
        """Wait until ``address`` may try.

        Raises:
            web.HTTPError: 429, too many of its tries are waiting.
        """
        now = monotonic()
        record = self._record(address, now)
        if record is None or record.wrong < FREE:
            return
        wait = max(0.0, record.turn - now)
        if wait > PATIENCE:
            raise web.HTTPError(429, "too many wrong tokens or passwords")
        record.turn = now + wait + PACE
        await asyncio.sleep(wait)

    def note_wrong(self, address: str) -> None:
        """Count a wrong answer of ``address``."""
        now = monotonic()
        record = self._record(address, now) or _Record()
        record.wrong += 1
        record.tried = now
        self._records[_network(address)] = record
        self._records.move_to_end(_network(address))
        while len(self._records) > REMEMBERED:
            self._records.popitem(last=False)

    def _record(self, address: str, now: float) -> _Record | None:
        """What is remembered of an address, if anything."""
        record = self._records.get(_network(address))
        if record is not None and now - max(record.tried, record.turn) > FORGOTTEN:
            del self._records[_network(address)]
            return None
        return record


def _network(address: str) -> str:
    """What one guesser has: an address, or the 2^64 of them that IPv6 gives to a household."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a socket of this machine has no number
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))

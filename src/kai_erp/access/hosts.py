"""Which host names are served."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from kai_erp.config import LOOPBACK_HOSTS, Settings


class HostGuard:
    """Which host names are served: a page from elsewhere must not reach us under a name of its own.

    Addresses are always served, since a name that is made to point here is what such a page needs.
    """

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url).hostname if settings.public_url else None
        names = {*LOOPBACK_HOSTS, settings.host, public, *settings.allowed_hosts}
        self._names = {name.casefold() for name in names if name}

    def serves(self, host: str) -> bool:
        """Tell whether a Host header, with or without a port, is served."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

"""The proxy on the way to an upstream, as `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` have it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kai_erp.config import is_loopback
from kai_erp.errors import InvalidSetting

_SCHEMES = ("http", "https")


def proxy_for(address: str) -> str | None:
    """Return the address of the proxy that leads to an address, never to one of this machine; None without one.

    Raises InvalidSetting when it is none that can be used, without showing what may be a password in it.
    """
    parts = urlsplit(address)
    host, proxies = parts.hostname or "", getproxies()
    named = parts.scheme if parts.scheme in proxies else "all"
    proxy = proxies.get(named)
    if not proxy or is_loopback(host) or _is_spared(host, proxies.get("no", "")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_usable(proxy):
        raise InvalidSetting(
            f"{named.upper()}_PROXY must be the address of an HTTP proxy, such as http://proxy:3128"
        )
    return proxy


def _is_usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_spared(host: str, spared: str) -> bool:
    """Tell whether a host is asked directly: by its name or a name above it, or by its network."""
    return bool(proxy_bypass(host)) or any(_covers(entry.strip(), host) for entry in spared.split(","))


def _covers(entry: str, host: str) -> bool:
    if entry.startswith("*."):
        return host.endswith(entry[1:].lower())
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False

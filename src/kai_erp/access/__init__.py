"""Who may ask: keys and tokens, host names, and how much anybody may ask for."""

from kai_erp.access.doorkeeping import Doorkeeper, open_doorkeeper
from kai_erp.access.hosts import HostGuard
from kai_erp.access.limits import InboundLimits
from kai_erp.access.modes import access_mode, check_bind, check_supported, not_acted_on

__all__ = [
    "Doorkeeper",
    "HostGuard",
    "InboundLimits",
    "access_mode",
    "check_bind",
    "check_supported",
    "not_acted_on",
    "open_doorkeeper",
]

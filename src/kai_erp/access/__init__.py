"""Who may ask: keys and tokens, host names, and how much anybody may ask for."""

from kai_erp.access.hosts import HostGuard
from kai_erp.access.modes import access_mode, check_bind, check_supported

__all__ = ["HostGuard", "access_mode", "check_bind", "check_supported"]

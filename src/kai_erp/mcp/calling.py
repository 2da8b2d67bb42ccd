"""Who calls a server: the door of the REST server says so; over stdio it is whoever started the process."""

from __future__ import annotations

from kai_erp.callers import ANYBODY, Caller
from kai_erp.errors import AuthRequired


def caller_of(request: object) -> Caller:
    """Return who sent the HTTP request that a message came by; there is none over stdio.

    Raises AuthRequired when a request has not come through the door.
    """
    if request is None:
        return ANYBODY
    caller = getattr(getattr(request, "state", None), "caller", None)
    if not isinstance(caller, Caller):
        raise AuthRequired("It is not known who calls")
    return caller

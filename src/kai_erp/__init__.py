"""One question in place of six API calls to an Infor SyteLine / CloudSuite Industrial ERP."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Erp", "SyncErp", "WholeAnswer", "__version__", "connect", "connect_sync"]

if TYPE_CHECKING:
    from kai_erp.client import Erp, SyncErp, WholeAnswer, connect, connect_sync
else:

    def __getattr__(name: str) -> object:
        """Import the Python API when it is first asked for; importing the package stays light."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("kai_erp.client"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

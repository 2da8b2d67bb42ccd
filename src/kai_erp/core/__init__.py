"""Engines and the values they exchange; each class is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kai_erp.core.auth import DirectGrant, IonGrant, TokenManager
    from kai_erp.core.budget import RequestBudget
    from kai_erp.core.compass_client import CompassClient, CompassEndpoint
    from kai_erp.core.ido_client import IdoClient, IdoEndpoint
    from kai_erp.core.lake_engine import DataLakeEngine
    from kai_erp.core.lake_sql import LakeTables
    from kai_erp.core.rest_engine import RestEngine
    from kai_erp.core.router import QueryRouter
    from kai_erp.core.seen import SeenValues, SeenVolumes
    from kai_erp.core.staging import StagingDatabase, StagingEngine
    from kai_erp.core.types import (
        CollectionRead,
        CollectionReport,
        DataSource,
        Freshness,
        IDOSpec,
        KeySource,
        LakeQuerySpec,
        LakeRead,
        Notice,
        Property,
        PropertyType,
        RestQuerySpec,
    )

_HOMES = {
    "auth": ("DirectGrant", "IonGrant", "TokenManager"),
    "budget": ("RequestBudget",),
    "compass_client": ("CompassClient", "CompassEndpoint"),
    "ido_client": ("IdoClient", "IdoEndpoint"),
    "lake_engine": ("DataLakeEngine",),
    "lake_sql": ("LakeTables",),
    "rest_engine": ("RestEngine",),
    "router": ("QueryRouter",),
    "seen": ("SeenValues", "SeenVolumes"),
    "staging": ("StagingDatabase", "StagingEngine"),
    "types": (
        "CollectionRead",
        "CollectionReport",
        "DataSource",
        "Freshness",
        "IDOSpec",
        "KeySource",
        "LakeQuerySpec",
        "LakeRead",
        "Notice",
        "Property",
        "PropertyType",
        "RestQuerySpec",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CollectionRead",
    "CollectionReport",
    "CompassClient",
    "CompassEndpoint",
    "DataLakeEngine",
    "DataSource",
    "DirectGrant",
    "Freshness",
    "IDOSpec",
    "IdoClient",
    "IdoEndpoint",
    "IonGrant",
    "KeySource",
    "LakeQuerySpec",
    "LakeRead",
    "LakeTables",
    "Notice",
    "Property",
    "PropertyType",
    "QueryRouter",
    "RequestBudget",
    "RestEngine",
    "RestQuerySpec",
    "SeenValues",
    "SeenVolumes",
    "StagingDatabase",
    "StagingEngine",
    "TokenManager",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)

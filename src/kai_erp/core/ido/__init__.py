"""The wire rules of the IDO Request Service v2, as pure functions: nothing here does I/O.

Sources: Infor's swagger "IDO REST Service v2"; Infor's guides "Mongoose - Integrating IDOs with External
Applications" and "Mongoose IDO Development Guide"; published clients that run against real tenants.
"""

from kai_erp.core.ido.faults import fault_error, is_session_fault
from kai_erp.core.ido.filters import render, split_keys
from kai_erp.core.ido.info import decode_property_names
from kai_erp.core.ido.paging import glimpsed_request, next_request, request_after
from kai_erp.core.ido.requests import QUERY_LIMIT, SMALLEST_PAGE, LoadRequest, info_path, path, query_string
from kai_erp.core.ido.responses import Page, decode_page, excerpt
from kai_erp.core.ido.texts import shown, without_secret
from kai_erp.core.ido.values import NO_DATE_FROM, Typed, instants, trimmed, typed

__all__ = [
    "NO_DATE_FROM",
    "QUERY_LIMIT",
    "SMALLEST_PAGE",
    "LoadRequest",
    "Page",
    "Typed",
    "decode_page",
    "decode_property_names",
    "excerpt",
    "fault_error",
    "glimpsed_request",
    "info_path",
    "instants",
    "is_session_fault",
    "next_request",
    "path",
    "query_string",
    "render",
    "request_after",
    "shown",
    "split_keys",
    "trimmed",
    "typed",
    "without_secret",
]

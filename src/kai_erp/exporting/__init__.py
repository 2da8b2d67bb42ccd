"""Exports: a connector's whole answer, or a whole collection, in a file that is never there by halves."""

from kai_erp.exporting.opening import Export
from kai_erp.exporting.parts import saved_rows
from kai_erp.exporting.running import Finished, Told, run_export
from kai_erp.exporting.streams import Source
from kai_erp.exporting.targets import FileFormat, Target
from kai_erp.exporting.whole import whole_collections

__all__ = [
    "Export",
    "FileFormat",
    "Finished",
    "Source",
    "Target",
    "Told",
    "run_export",
    "saved_rows",
    "whole_collections",
]

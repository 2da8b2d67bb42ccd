"""Records: what a row of an answer means."""

from kai_erp.models.operations import OperationStatus, ScheduledOperation, ScheduleSummary
from kai_erp.models.result import Caution, Envelope, Meta, UpstreamRead

__all__ = [
    "Caution",
    "Envelope",
    "Meta",
    "OperationStatus",
    "ScheduleSummary",
    "ScheduledOperation",
    "UpstreamRead",
]

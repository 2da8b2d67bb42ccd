"""The wire rules of the Compass query API v2, as pure functions: nothing here does I/O.

Sources: Infor's Data Fabric user guide; Infor's tutorial on external access to the data lake; published clients
that run against real tenants. What none of them says is taken in every form that may come.
"""

from kai_erp.core.compass.jobs import JobState, JobStatus, decode_query_id, decode_status
from kai_erp.core.compass.messages import Message, decode_messages, is_too_large, told
from kai_erp.core.compass.pages import LakePage, decode_page, empty_table
from kai_erp.core.compass.requests import (
    LARGEST_PAGE,
    LONGEST_POLL,
    SUBMIT_PATH,
    cancel_path,
    result_path,
    status_path,
)
from kai_erp.core.compass.values import Convention, LakeTime

__all__ = [
    "LARGEST_PAGE",
    "LONGEST_POLL",
    "SUBMIT_PATH",
    "Convention",
    "JobState",
    "JobStatus",
    "LakePage",
    "LakeTime",
    "Message",
    "cancel_path",
    "decode_messages",
    "decode_page",
    "decode_query_id",
    "decode_status",
    "empty_table",
    "is_too_large",
    "result_path",
    "status_path",
    "told",
]

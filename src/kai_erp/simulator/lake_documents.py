"""Jobs of the lake and requests to it as JSON documents."""

from kai_erp.simulator.lake import LakeRequest
from kai_erp.simulator.lake_jobs import FINISHED, LakeJob
from kai_erp.simulator.rules import action_name


def write_job(job: LakeJob) -> dict[str, object]:
    """Return a job with its query and what has become of it."""
    status, refusal = job.status, job.refusal
    return {
        "id": job.id,
        "sql": job.sql,
        "status": status,
        "rows": len(job.result.rows) if status == FINISHED else None,
        "message": refusal.message if refusal else None,
    }


def write_request(request: LakeRequest) -> dict[str, object]:
    """Return a request with its parameters and how it was answered; times are seconds of the clock."""
    return {
        "operation": request.operation,
        "path": request.path,
        "job": request.job,
        "parameters": request.params,
        "sql": request.sql,
        "started": round(request.started, 4),
        "ended": round(request.ended, 4) if request.ended else None,
        "status": request.status or None,
        "fault": action_name(request.fault),
    }

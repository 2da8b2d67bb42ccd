"""The bodies in which the simulator answers: JSON, the refusal of a load, pages of IIS."""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kai_erp.simulator.options import UnauthorizedBody

_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h2>{0}</h2></body></html>"
_TITLES = {
    404: "404 - File or directory not found.",
    405: "405 - HTTP verb not allowed.",
    504: "504 Gateway Time-out",
}


def html(status: int) -> Response:
    """Return the page of a web server for a status."""
    return Response(_HTML.format(_TITLES.get(status, str(status))), status, media_type="text/html")


def page_of_iis(_: Request, error: Exception) -> Response:
    """Answer what no route answers."""
    return html(error.status_code if isinstance(error, HTTPException) else 500)


def json(answer: object, status: int = 200) -> Response:
    """Return an answer as JSON."""
    return Response(orjson.dumps(answer), status, media_type="application/json")


def refused(message: str, status: int = 200) -> Response:
    """Return the refusal of a load."""
    answer = {"Items": None, "Bookmark": None, "MoreRowsExist": False, "Success": False, "Message": message}
    return json(answer, status)


def unauthorized(kind: UnauthorizedBody) -> Response:
    """Return what the gateway answers to a request without a valid token."""
    if kind == "json":
        return json({"error": "invalid_token", "error_description": "The access token is not valid."}, 401)
    return PlainTextResponse("Unauthorized" if kind == "text" else "", 401)

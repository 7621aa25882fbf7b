"""What goes wrong, as HTTP says it: one table from errors to status codes, one shape of body.

Every error of this interface is `{"error": {"code", "where", "message"}}`, whoever noticed it.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from firmware.core import errors

STATUS: dict[type[errors.StationError], int] = {
    errors.Invalid: 400,
    errors.NotFound: 404,
    errors.Refused: 403,
    errors.SetupDone: 409,
    errors.Busy: 409,
    errors.Unsupported: 501,
    errors.Exhausted: 507,
    errors.Unavailable: 503,
    errors.StationError: 500,
}


class HttpRefusal(Exception):
    """A request turned away for what it is as HTTP, before anybody looked at what it asks for."""

    def __init__(
        self, status: int, code: str, where: str, message: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(f"{where}: {message}")
        self.status = status
        self.code = code
        self.where = where
        self.message = message
        self.headers = headers


def status_of(error: errors.StationError) -> int:
    """The status code of an error: its own, or that of the nearest kind above it."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refusal(status: int, code: str, where: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """The answer that says no."""
    answer = JSONResponse({"error": {"code": code, "where": where, "message": message}}, status_code=status)
    for name, value in headers:
        answer.headers.append(name, value)
    return answer


def answer_to(error: errors.StationError | HttpRefusal) -> Response:
    """The answer an error is told with."""
    if isinstance(error, HttpRefusal):
        return refusal(error.status, error.code, error.where, error.message, error.headers)
    return refusal(status_of(error), error.code, error.where, error.message)

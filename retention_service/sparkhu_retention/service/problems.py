"""Refusals and failures as problem documents (RFC 9457), which name the field."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from sparkhu.errors import InputError, SparkhuError
from sparkhu.sources.secrets import redacted
from sparkhu_retention.service.operations import Busy, NoSuch
from sparkhu_retention.storages.protocol import Changed

MEDIA_TYPE: Final = "application/problem+json"
NO_JSON: Final = "json_invalid"
NAMED_FIELD: Final = re.compile(r"\b(?:field|parameter) '([^']{1,200})'")
STATUS: Final[dict[type[SparkhuError], HTTPStatus]] = {
    NoSuch: HTTPStatus.NOT_FOUND,
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    Busy: HTTPStatus.CONFLICT,
    Changed: HTTPStatus.CONFLICT,
    SparkhuError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""What a failure is over HTTP; of a class that is not named, its first parent that is."""


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Where it stands, such as `body.storage`.", examples=["body.storage"])
    detail: str


class Problem(BaseModel):
    """A refusal or failure, as RFC 9457 has it."""

    type: str = Field(default="about:blank")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no plan 'p1'; GET /v1/plans lists them"])
    errors: list[FieldProblem] = Field(default_factory=list)
    request: str | None = Field(default=None, description="Id of the request, as the log has it.")


def problem(
    status: int,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    request: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Make a problem document."""
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [], request=request)
    return JSONResponse(said.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def answer_problems(app: FastAPI) -> None:
    """Let an app answer whatever goes wrong with a problem document."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(SparkhuError, _failed)
    app.add_exception_handler(Exception, _unexpected)


def _id(request: Request) -> str | None:
    return getattr(request.state, "id", None)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_field_problem(each) for each in error.errors()[:20]]
    detail = "; ".join(f"{each.field}: {each.detail}" for each in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors, request=_id(request))


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    if error["type"] == NO_JSON:
        place, at = error["loc"]
        return FieldProblem(field=place, detail=f"is no JSON: {_sentence(error['ctx']['error'])} at character {at + 1}")
    return FieldProblem(field=_place(error["loc"]), detail=_sentence(error["msg"]))


def _place(path: tuple[int | str, ...]) -> str:
    return ".".join(str(part).encode(errors="backslashreplace").decode() for part in path)


def _sentence(message: str) -> str:
    said = message.removeprefix("Value error, ").encode(errors="backslashreplace").decode()
    return said[:1].lower() + said[1:]


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, str(error.detail), request=_id(request), headers=headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {"Retry-After": "10"} if status in (HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE) else None
    detail = redacted(str(error))
    field = NAMED_FIELD.search(detail)
    errors = [FieldProblem(field=field[1], detail=detail)] if field else None
    return problem(status, detail, errors=errors, request=_id(request), headers=headers)


async def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    detail = "this should not have happened; the log has the traceback under the request's id"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, request=_id(request))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe problems for the OpenAPI document."""
    schema: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}} for status in statuses}

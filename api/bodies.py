"""Bodies of requests: bounded while they are read, strict JSON, and every fault named at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from api.problem_types import ProblemType
from api.problems import Fault, Invalid, Problem
from api.routes import MOST_BODY
from schemas.errors import DocumentRefused
from schemas.json_documents import document
from schemas.json_faults import faults_in

T = TypeVar("T")

BODY_S = 20.0
"""Seconds in which a body must have come."""


async def read(request: Request, type_: type[T], *, ignored: Collection[str] = (), most: int = MOST_BODY) -> T:
    """The body as the Struct `type_`. Members named in `ignored` may stand at the top and are dropped.

    Raises Problem: 400 what is no strict JSON, 413, 415, 422 with every unknown member, missing one and wrong value.
    """
    return typed(parsed(await read_bytes(request, most=most)), type_, ignored=ignored)


async def read_bytes(request: Request, *, most: int = MOST_BODY) -> bytes:
    """The body as it came, not empty, of a type that the route accepts.

    Raises Problem: 400, 408 (it does not come), 413 (as soon as it is too much), 415.
    """
    accepts = request.state.route.accepts
    _check_encoding(request)
    media = media_type(request)
    if media is not None:
        _check_media(media, accepts)
    body = await bounded(request, most)
    if not body:
        raise Problem(ProblemType.MALFORMED, "the body is empty", errors=[Fault("is empty", pointer="")])
    if media is None:
        _check_media("", accepts)
    return body


def parsed(body: bytes) -> object:
    """Plain data from strict JSON. Raises Problem (400): encoding, depth, syntax, a name twice."""
    try:
        return document(body)
    except DocumentRefused as refused:
        faults = [Fault(refused.detail, pointer=refused.pointer)]
        raise Problem(ProblemType.MALFORMED, f"the body is no JSON that mutt reads: {refused}", errors=faults) from None


def typed(data: object, type_: type[T], *, ignored: Collection[str] = ()) -> T:
    """Plain data as the Struct `type_`. Raises Invalid."""
    if ignored and isinstance(data, dict):
        data = {name: value for name, value in data.items() if name not in ignored}
    found = [Fault(fault.detail, pointer=fault.pointer) for fault in faults_in(data, type_)]
    if found:
        raise Invalid(found)
    return msgspec.convert(data, type_)


def media_type(request: Request) -> str | None:
    """The media type of the body without its parameters; None where none is named. Two of them are none we know."""
    given = request.headers.getlist("content-type")
    return ", ".join(given).partition(";")[0].strip().lower() if given else None


def _check_media(media: str, accepts: Collection[str]) -> None:
    if media not in accepts:
        detail = f"the body must be {' or '.join(accepts)}, as Content-Type says"
        raise Problem(ProblemType.MEDIA_TYPE, detail, headers={"Accept": ", ".join(accepts)})


def _check_encoding(request: Request) -> None:
    if any(given.strip().lower() not in ("", "identity") for given in request.headers.getlist("content-encoding")):
        raise Problem(
            ProblemType.MEDIA_TYPE, "a body with Content-Encoding is not read", headers={"Accept-Encoding": "identity"}
        )


async def bounded(request: Request, most: int, *, within_s: float = BODY_S) -> bytes:
    """Reading stops where it is too much; `api.protocol` ends the connection when still more comes."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except ClientDisconnect:
        raise Problem(ProblemType.MALFORMED, "the body ended early") from None
    except TimeoutError:
        raise Problem(ProblemType.LATE, f"the body did not come within {within_s:g} s") from None
    return bytes(body)


def _too_large(most: int) -> Problem:
    return Problem(ProblemType.TOO_LARGE, f"the body is larger than {most:,} bytes")

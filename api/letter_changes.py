"""/api/v2/dead-letters/{id}/edit, /park and /unpark: what is done to dead letters by hand beside replaying them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.authors import author_of
from api.dead_letters import PATH
from api.letter_choice import LetterChoice, chosen_letters
from api.metrics import ApiMetrics
from api.problems import Fault, Invalid, JsonResponse
from api.reasons import Reason
from api.routes import ApiRoute
from schemas.scopes import Scope
from streams.adapters.letter_changes import LetterChanges
from streams.core.letter_documents import verdict_json


class LetterEdit(Struct, forbid_unknown_fields=True, kw_only=True):
    """Another value for a replay to send, as text or as bytes in base64; key, headers and original stay."""

    edits: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    """How many edits the letter had when it was looked at."""
    text: str | None = None
    base64: str | None = None
    dry_run: bool = False
    """Only say what would change, and what a replay would become."""
    reason: Reason | None = None


class EditAnswer(Struct, frozen=True):
    edited: bool
    diff: str
    verdict: dict[str, Any] | None
    """What the rules of now would decide; of a dry run."""


class Parking(Struct, forbid_unknown_fields=True, kw_only=True):
    """Letters to set aside, or to take back; without `expected` nothing is done but counting."""

    filter: LetterChoice
    expected: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    """How many letters that are: another number changes nothing."""
    reason: Reason | None = None


class ParkingAnswer(Struct, frozen=True):
    letters: int
    done: bool


class LetterHand:
    def __init__(self, letters: LetterChanges, metrics: ApiMetrics) -> None:
        self._letters = letters
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        write = Scope.DLQ_WRITE
        parking: dict[str, Any] = {
            "method": "POST", "scope": write, "body": Parking, "answer": ParkingAnswer, "errors": (412,),
            "example": {"filter": {"reasons": ["field"]}},
        }  # fmt: skip
        return (
            ApiRoute(method="POST", path=PATH + "/{id:uuid}/edit", endpoint=self.edit, scope=write,
                     summary="Another value for a replay to send; the original stays", body=LetterEdit,
                     example={"edits": 0, "text": "{}", "dry_run": True}, answer=EditAnswer, errors=(404, 412)),
            ApiRoute(path=PATH + "/park", endpoint=self.park, summary="Open letters set aside: no replay takes them",
                     **parking),
            ApiRoute(path=PATH + "/unpark", endpoint=self.unpark, summary="Parked letters opened again", **parking),
        )  # fmt: skip

    async def edit(self, request: Request) -> Response:
        wanted = await bodies.read(request, LetterEdit)
        value, letter = _value(wanted), request.path_params["id"]
        with self._metrics.timed("letter_edit"):
            if wanted.dry_run:
                diff, would = await self._letters.rehearse(letter, value)
                return JsonResponse(EditAnswer(False, diff, verdict_json(would)))
            diff = await self._letters.edit(letter, value, author_of(request, wanted.reason), edits=wanted.edits)
        return JsonResponse(EditAnswer(True, diff, None))

    async def park(self, request: Request) -> Response:
        return await self._move(request, back=False)

    async def unpark(self, request: Request) -> Response:
        return await self._move(request, back=True)

    async def _move(self, request: Request, *, back: bool) -> Response:
        wanted = await bodies.read(request, Parking)
        chosen = msgspec.structs.replace(chosen_letters(wanted.filter), states=())
        with self._metrics.timed("letter_park"):
            if wanted.expected is None:
                return JsonResponse(ParkingAnswer(await self._letters.count(chosen, back=back), False))
            author = author_of(request, wanted.reason)
            done = await self._letters.park(chosen, author, back=back, expected=wanted.expected)
        return JsonResponse(ParkingAnswer(done, True))


def _value(wanted: LetterEdit) -> bytes:
    """Raises Invalid."""
    if (wanted.text is None) == (wanted.base64 is None):
        raise Invalid([Fault("give either text or base64")])
    if wanted.base64 is None:
        assert wanted.text is not None
        return wanted.text.encode()
    try:
        return base64.b64decode(wanted.base64, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid([Fault("is no base64", pointer="/base64")]) from None

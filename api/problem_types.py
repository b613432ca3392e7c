"""Every kind of error the API answers with: a stable name, its status, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Facts:
    slug: str
    status: int
    title: str
    remedy: str


class ProblemType(Enum):
    """Closed: a problem's `type` is `/problems/` and the slug, for good. One status each."""

    MALFORMED = _Facts(
        "malformed", 400, "Request cannot be read", "Send well-formed HTTP and JSON; `errors` says where."
    )
    CURSOR = _Facts(
        "cursor", 400, "Cursor is not valid", "Start again without `cursor`: it ended, or is of another query."
    )
    HOST = _Facts("host", 400, "Host is not served here", "Ask by a name that MUTT_ALLOWED_HOSTS lists.")
    UNAUTHORIZED = _Facts("unauthorized", 401, "No valid API key", "Send one valid key, in a header.")
    FORBIDDEN = _Facts("forbidden", 403, "Scope is missing", "Ask for a key that has the scope named in `detail`.")
    NOT_FOUND = _Facts("not-found", 404, "Not found", "Check path and id.")
    METHOD = _Facts("method", 405, "Method is not allowed", "`Allow` lists those that are.")
    VERSION = _Facts("version", 406, "Version is not offered here", "Ask for one that `detail` lists.")
    LATE = _Facts("late", 408, "The request did not come in time", "Send it again, at once.")
    CONFLICT = _Facts("conflict", 409, "Conflict with what is there", "Read the present state; `detail` says what.")
    IN_FLIGHT = _Facts("in-flight", 409, "The same request is in hand", "Try again after `Retry-After` seconds.")
    NO_SOURCE = _Facts("no-source", 409, "The source is not set up", "Set PROMETHEUS_URL, or ask another source.")
    GONE = _Facts("gone", 410, "This version has ended", "Follow `Link`: it names the successor.")
    STALE = _Facts("stale", 412, "It was changed meanwhile", "Read again; send the new ETag in `If-Match`.")
    TOO_LARGE = _Facts("too-large", 413, "Body is too large", "Send less at once.")
    TARGET_TOO_LONG = _Facts("target-too-long", 414, "Path and query are too long", "Ask for less.")
    MEDIA_TYPE = _Facts(
        "media-type", 415, "Body is of a type not read here", "Send a type that `detail` lists, unencoded."
    )
    VALIDATION = _Facts("validation", 422, "Values are not valid", "`errors` names every fault at once.")
    KEY_REUSED = _Facts(
        "key-reused", 422, "Idempotency-Key with another body", "One key for one request: use a new key."
    )
    NO_PRECONDITION = _Facts("no-precondition", 428, "If-Match is missing", "Send the ETag you read in `If-Match`.")
    RATE_LIMITED = _Facts("rate-limited", 429, "Too many requests", "Try again after `Retry-After` seconds.")
    HEADERS_TOO_LARGE = _Facts("headers-too-large", 431, "Headers are too large", "Send fewer.")
    INTERNAL = _Facts("internal", 500, "Internal error", "A defect of mutt: report `correlation_id`.")
    SOURCE_FAILED = _Facts(
        "source-failed", 502, "The source gave no answer that can be used", "Look at what `detail` names."
    )
    UNAVAILABLE = _Facts("unavailable", 503, "Something needed is away", "Try again after `Retry-After` seconds.")
    TOO_SLOW = _Facts("too-slow", 503, "The answer takes too long", "Ask for less: a shorter time, a narrower filter.")
    QUEUE_FULL = _Facts(
        "queue-full", 503, "Too many records are undecided", "Try again later, or publish to Kafka, which has room."
    )
    BUSY = _Facts("busy", 503, "Too many requests wait already", "Try again after `Retry-After` seconds.")
    SOURCE_DOWN = _Facts("source-down", 503, "The source is known to be down", "Try again after `Retry-After` seconds.")
    SOURCE_LATE = _Facts("source-late", 504, "The source did not answer in time", "Look at what `detail` names.")

    @property
    def slug(self) -> str:
        return self.value.slug

    @property
    def uri(self) -> str:
        return f"/problems/{self.slug}"

    @property
    def status(self) -> int:
        return self.value.status

    @property
    def title(self) -> str:
        return self.value.title

    @property
    def remedy(self) -> str:
        return self.value.remedy


BY_SLUG = {type_.slug: type_ for type_ in ProblemType}

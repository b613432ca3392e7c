"""The security checklist: what is demanded of each part that guards something."""

from __future__ import annotations

from collections.abc import Mapping

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "KEY": (
        "`mutt_<id>_<256 bits>`, shown once, kept as HMAC-SHA-256 with a pepper from the store of secrets",
        "found by its id, compared in constant time; an unknown id costs what a wrong secret costs",
        "two live ones a client; expiry; one that is revoked opens nothing anywhere after 5 s",
        "429 after 10 failures a minute, of an address and of a key; the right key still opens",
        "every change and every failure is audited, and a key in an address opens nothing",
    ),
    "SCOPE": (
        "a scope for reading and one for changing of each kind of thing, and `keys:admin`",
        "every route with every scope and method, from the list of routes",
        "a route that names no scope is refused when the program is built",
        "what an object or a field may not be is refused whatever the scope: guessed ids, members that nobody may set",
    ),
    "UI": (
        "a policy for content of `'none'`, our own origin for scripts, styles, images, connections and forms, "
        "no base and no frames",
        "`nosniff`, no referrer for others, COOP and CORP (a page that sends no referrer at all would have its forms "
        "come from `null`, and their origin could not be looked at)",
        "a cookie `__Host-`, HttpOnly, SameSite=Strict, new at sign-in, 15 minutes idle, 8 hours at most, "
        "ended on the server",
        "forms need the token of their session and an origin of this site",
        "everything in a page is escaped",
    ),
    "TLS": (
        "1.2 at least",
        "expired, wrong name, unknown authority: refused by Kafka's, PostgreSQL's, Vault's and the receiver's client "
        "and at /metrics",
        "files are followed without a restart",
        "plain to another machine is refused unless it is named",
    ),
    "FAUST": (
        "no web port listens",
        "no codec but bare bytes",
        "no agent yields an answer",
        "no topic is made at run time",
    ),
    "SURFACE": (
        "loopback unless it is set otherwise",
        "`/metrics` on its own terms: a port of its worker, a token or a certificate; `/ready` tells no reasons",
        "labels have closed values",
        "an error carries an id; no stack, no SQL, no version of a library",
    ),
    "SECRET": (
        "one type, `***` in `repr`, `str` and tracebacks, refused by every encoder",
        "log lines are filtered by value",
        "40 planted canaries appear nowhere",
        "none in arguments, environments of children, core dumps",
    ),
    "PG": (
        "an owner without login, migrate, worker, api, retention, readonly: every verb is tried on every table",
        "nobody may update, delete or truncate the audits; retention and erasure go through functions that want a "
        "verified archive or a recorded reason",
        "`search_path` is fixed, nobody creates in `public`",
    ),
    "VAULT": (
        "an AppRole for each service, which reads its own paths and nothing of `sys/`",
        "tokens live an hour at most",
        "each token is refused on the paths of the others",
    ),
    "EGRESS": (
        "https unless the host is allowed by name",
        "an own table of ranges, for the address that is dialled, at each attempt",
        "no proxies of the environment, no redirects, no cookies",
    ),
    "SUPPLY": (
        "locked with hashes, wheels alone",
        "known vulnerabilities are asked for; what could not be asked is not called fine",
        "a list of parts, and of licences",
        "two builds are the same byte for byte",
        "floors for starlette, aiohttp and h11, with the vulnerability that they keep out",
    ),
    "HOST": (
        "a user of its own, a root that is read only, no capabilities, bounds of memory and of processes",
        "an exposure of 2.5 at most, as systemd tells it",
    ),
    "STATIC": (
        "what ruff's rules of security and bandit find is explained",
        "patterns made at run time, SQL by f-string, `verify=False`, `yaml.load`, decoders of JSON beside the codec, "
        "`print` of events, `except Exception` that goes on: each is noticed where it is planted",
    ),
    "ACL": (
        "what the table does not name is refused, and no topic makes itself",
        "for each client every operation that is not in its row is tried and refused",
    ),
}
"""By family, in the order of their numbers."""

CHECKLIST: Mapping[str, str] = {
    f"{family}_{number}": demand for family, demands in FAMILIES.items() for number, demand in enumerate(demands, 1)
}
"""By name: `KEY_1`, … Tests that show one are marked `@pytest.mark.checks("KEY_1")`."""

"""Every secret by name: which belong together, and which service may read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DB_USER = "DB_USER_CURRENT"
DB_PASSWORD = "DB_PASS_CURRENT"
DB_USER_NEXT = "DB_USER_NEXT"
DB_PASSWORD_NEXT = "DB_PASS_NEXT"
DB_NEXT_IS = "DB_NEXT_IS"
"""No secret: whether the next login is coming or leaving, written by `mutt secrets rotate-db`."""
WEBHOOK_TOKEN = "MOOG_API_KEY"
WEBHOOK_SIGNING = "WEBHOOK_SIGNING_SECRET"
WEBHOOK_SIGNING_NEXT = "WEBHOOK_SIGNING_SECRET_NEXT"
API_KEY = "API_KEY"
API_KEY_NEXT = "API_KEY_NEXT"
API_PEPPER = "API_PEPPER"
API_PEPPER_PREVIOUS = "API_PEPPER_PREVIOUS"
KAFKA_USER = "KAFKA_USER"
KAFKA_PASSWORD = "KAFKA_PASSWORD"


NO_SECRETS = frozenset({DB_USER, DB_USER_NEXT, DB_NEXT_IS, KAFKA_USER})
"""What stands beside secrets and may be told."""


class Service(StrEnum):
    """Who reads secrets: each has its own login at the store, and its own policy there (ops/vault)."""

    MATCH = "match"
    FORWARD = "forward"
    DEAD_LETTERS = "dead-letters"
    SNMP_BRIDGE = "snmp-bridge"
    API = "api"
    MIGRATE = "migrate"
    """`mutt migrate`, and `mutt retention restore`, which makes a table."""
    RETENTION = "retention"
    """`mutt retention run`."""
    OPERATOR = "operator"
    """Whoever runs `mutt` commands."""
    ROTATE = "rotate"
    """`mutt secrets rotate-db` and `rotate-kafka`, `mutt roles`, `mutt topics acl`."""


class DatabaseRole(StrEnum):
    """Who logs in at PostgreSQL; each role has a login of its own, and another one while that is replaced."""

    WORKER = "worker"
    API = "api"
    MIGRATE = "migrate"
    RETENTION = "retention"
    OPERATOR = "operator"
    ADMIN = "admin"
    """Makes and retires the logins of the others."""


@dataclass(frozen=True, slots=True)
class SecretGroup:
    """Secrets that are stored, read and replaced together: one path of the store."""

    path: str
    required: tuple[str, ...] = ()
    """Without them what is stored is half of it."""
    optional: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    """The first of each is nothing without the second."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.required + self.optional


def database_group(role: DatabaseRole) -> SecretGroup:
    """The login of a database role: the one in use, and the one that comes or goes. Both open."""
    return SecretGroup(
        f"database/{role}",
        required=(DB_PASSWORD,),
        optional=(DB_USER, DB_USER_NEXT, DB_PASSWORD_NEXT, DB_NEXT_IS),
        pairs=((DB_USER_NEXT, DB_PASSWORD_NEXT), (DB_PASSWORD_NEXT, DB_USER_NEXT)),
    )


def kafka_group(service: Service) -> SecretGroup:
    """The login of a service at the brokers."""
    both = ((KAFKA_USER, KAFKA_PASSWORD), (KAFKA_PASSWORD, KAFKA_USER))
    return SecretGroup(f"kafka/{service}", optional=(KAFKA_USER, KAFKA_PASSWORD), pairs=both)


WEBHOOK = SecretGroup("webhook", optional=(WEBHOOK_TOKEN, WEBHOOK_SIGNING, WEBHOOK_SIGNING_NEXT))
API = SecretGroup(
    "api",
    optional=(API_KEY, API_KEY_NEXT, API_PEPPER, API_PEPPER_PREVIOUS),
    pairs=((API_PEPPER_PREVIOUS, API_PEPPER), (API_KEY_NEXT, API_KEY)),
)

READS: Mapping[Service, tuple[SecretGroup, ...]] = {
    Service.MATCH: (database_group(DatabaseRole.WORKER), kafka_group(Service.MATCH)),
    Service.FORWARD: (database_group(DatabaseRole.WORKER), WEBHOOK, kafka_group(Service.FORWARD)),
    Service.DEAD_LETTERS: (database_group(DatabaseRole.WORKER), kafka_group(Service.DEAD_LETTERS)),
    Service.SNMP_BRIDGE: (kafka_group(Service.SNMP_BRIDGE),),
    Service.API: (database_group(DatabaseRole.API), API, kafka_group(Service.API)),
    Service.MIGRATE: (database_group(DatabaseRole.MIGRATE), kafka_group(Service.MIGRATE)),
    Service.RETENTION: (database_group(DatabaseRole.RETENTION),),
    Service.OPERATOR: (database_group(DatabaseRole.OPERATOR), API, kafka_group(Service.OPERATOR)),
    Service.ROTATE: (database_group(DatabaseRole.ADMIN), kafka_group(Service.ROTATE)),
}
"""Each service reads these and no others."""


def all_groups() -> tuple[SecretGroup, ...]:
    """Every group once, in the order of the services."""
    return tuple(dict.fromkeys(group for groups in READS.values() for group in groups))

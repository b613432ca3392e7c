"""Traps into events: what a v1 trap is in v2 (RFC 3584, 3.1), and where a trap truly came from."""

from __future__ import annotations

import datetime as dt

from schemas.events import HOSTNAME_LIMIT, MESSAGE_LIMIT, Event
from schemas.snmptrapd import Trap
from schemas.syslog import UNKNOWN_HOST
from schemas.topics import SNMP

UPTIME = "1.3.6.1.2.1.1.3.0"
TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
ENTERPRISE = "1.3.6.1.6.3.1.1.4.3.0"
ADDRESS = "1.3.6.1.6.3.18.1.3.0"
COMMUNITY = "1.3.6.1.6.3.18.1.4.0"
"""snmpTrapCommunity.0: a password. It is left out of the event."""

STANDARD = "1.3.6.1.6.3.1.1.5"
NAMES = {
    f"{STANDARD}.1": "SNMPv2-MIB::coldStart",
    f"{STANDARD}.2": "SNMPv2-MIB::warmStart",
    f"{STANDARD}.3": "IF-MIB::linkDown",
    f"{STANDARD}.4": "IF-MIB::linkUp",
    f"{STANDARD}.5": "SNMPv2-MIB::authenticationFailure",
    f"{STANDARD}.6": "SNMPv2-MIB::egpNeighborLoss",
}
"""The six generic traps; others are called by their OID, since no MIB is read here."""

_ENTERPRISE_SPECIFIC = 6
_UNTOLD = (UPTIME, TRAP_OID, ADDRESS, ENTERPRISE)
_NO_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - an agent that does not know its own address


def event_of(trap: Trap) -> Event:
    """The event of a trap: its host is the trap's own source (snmpTrapAddress, a v1 trap's agent), else the packet's.

    Varbinds are texts by OID. Octets are text where they are printable UTF-8, else hexadecimal. snmpTrapOID.0 is the
    event's `trap_oid`, None where a notification does not name it; the community is left out. The message is the trap's
    name and its variables, so that rules find them.
    """
    variables = [(oid, shown(value)) for oid, value in _variables(trap) if oid != COMMUNITY]
    by_oid = dict(variables)
    trap_oid = by_oid.pop(TRAP_OID, None)
    told = [f"{oid} = {value}" for oid, value in variables if oid not in _UNTOLD]
    name = "trap without snmpTrapOID" if trap_oid is None else NAMES.get(trap_oid, trap_oid)
    return Event(
        timestamp=dt.datetime.fromtimestamp(trap.received, dt.UTC).isoformat().replace("+00:00", "Z"),
        hostname=_source(trap, by_oid.get(ADDRESS))[:HOSTNAME_LIMIT],
        message=(f"{name}: {', '.join(told)}" if told else name)[:MESSAGE_LIMIT],
        source=SNMP.source,
        trap_oid=trap_oid,
        varbinds={**by_oid},
    )


def shown(value: bytes) -> str:
    """Octets as text where they are printable UTF-8 (line feeds and tabs are), else as `00 FF 10`."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex(" ").upper()
    return text if all(c.isprintable() or c in "\r\n\t" for c in text) else value.hex(" ").upper()


def _variables(trap: Trap) -> list[tuple[str, bytes]]:
    """The variables as v2 has them: of a v1 trap with those that RFC 3584 adds in front and behind."""
    if trap.enterprise is None:
        return trap.variables
    front = [(UPTIME, b"%d" % trap.uptime), (TRAP_OID, _v1_oid(trap).encode())]
    behind = [(ADDRESS, trap.agent.encode()), (ENTERPRISE, trap.enterprise.encode())]
    named = {oid for oid, _ in trap.variables}
    return [*front, *trap.variables, *(one for one in behind if one[0] not in named)]


def _v1_oid(trap: Trap) -> str:
    if trap.generic < _ENTERPRISE_SPECIFIC:
        return f"{STANDARD}.{trap.generic + 1}"
    return f"{trap.enterprise}.0.{trap.specific}"


def _source(trap: Trap, named: str | None) -> str:
    addresses = (named, trap.agent, trap.peer)
    return next((one for one in addresses if one and one not in _NO_ADDRESS), UNKNOWN_HOST)

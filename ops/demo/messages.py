"""What the demonstration's devices say: message templates with their weight, and how their blanks are filled."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from ops.demo.fleet import Kind


class Template(NamedTuple):
    """One kind of syslog message; `{…}` are blanks."""

    weight: int
    kind: Kind
    severity: int
    program: str
    text: str


class Trap(NamedTuple):
    """One kind of SNMP trap."""

    weight: int
    kind: Kind
    oid: str
    name: str


_R, _S, _F, _V, _D, _U = Kind.ROUTER, Kind.SWITCH, Kind.FIREWALL, Kind.SERVER, Kind.DATABASE, Kind.UPS

MATCHED: tuple[Template, ...] = (
    Template(3, _S, 3, "", "%LINK-3-UPDOWN: Interface {port}, changed state to down"),
    Template(6, _S, 3, "", "%LINK-3-UPDOWN: Interface {port}, changed state to up"),
    Template(30, _S, 5, "", "%LINEPROTO-5-UPDOWN: Line protocol on Interface {port}, changed state to up"),
    Template(1, _R, 5, "", "%BGP-5-ADJCHANGE: neighbor {ip} Down BGP Notification sent"),
    Template(4, _R, 5, "", "%BGP-5-ADJCHANGE: neighbor {ip} Up"),
    Template(
        1, _R, 5, "", "%OSPF-5-ADJCHG: Process 1, Nbr {ip} on {port} from FULL to DOWN, Neighbor Down: Dead timer"
    ),
    Template(4, _R, 5, "", "%OSPF-5-ADJCHG: Process 1, Nbr {ip} on {port} from LOADING to FULL, Loading Done"),
    Template(5, _R, 5, "", "%SYS-5-CONFIG_I: Configured from console by {user} on vty0 ({ip})"),
    Template(60, _R, 6, "", "%SEC-6-IPACCESSLOGP: list 101 denied tcp {ip}({number}) -> {ip}(22), 1 packet"),
    Template(1, _R, 2, "", "%SYS-2-MALLOCFAIL: Memory allocation of {number} bytes failed from 0x{hex}"),
    Template(
        2, _S, 4, "", "%PM-4-ERR_DISABLE: bpduguard error detected on {port}, putting {port} in err-disable state"
    ),
    Template(8, _R, 5, "", "%HSRP-5-STATECHANGE: Vlan{number} Grp 1 state Standby -> Active"),
    Template(6, _S, 4, "", "%CDP-4-DUPLEX_MISMATCH: duplex mismatch discovered on {port} (not half duplex)"),
    Template(3, _S, 4, "", "%SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: {user}] [Source: {ip}]"),
    Template(2, _S, 4, "", "%SW_MATM-4-MACFLAP_NOTIF: Host {hex} in vlan {number} is flapping between ports"),
    Template(60, _V, 6, "sshd", "Failed password for invalid user {user} from {ip} port {number} ssh2"),
    Template(60, _V, 6, "sshd", "Accepted publickey for {user} from {ip} port {number} ssh2: ED25519 SHA256:{hex}"),
    Template(2, _V, 3, "kernel", "Out of memory: Killed process {number} ({word}) total-vm:{number}kB"),
    Template(
        1, _D, 3, "kernel", "EXT4-fs error (device dm-{number}): ext4_find_entry: reading directory lblock {number}"
    ),
    Template(1, _V, 3, "kernel", "blk_update_request: I/O error, dev sd{word}, sector {number}"),
    Template(12, _V, 4, "kernel", "CPU{number}: Package temperature above threshold, cpu clock throttled"),
    Template(4, _V, 3, "systemd", "Failed to start {word}.service - {word} daemon."),
    Template(60, _V, 6, "systemd", "Started Session {number} of User {user}."),
    Template(70, _V, 6, "CRON", "(root) CMD (/usr/lib/{word}/run --quiet)"),
    Template(20, _V, 5, "sudo", "{user} : TTY=pts/1 ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/{word}"),
    Template(4, _V, 4, "chronyd", "Can't synchronise: no selectable sources"),
    Template(1, _D, 2, "postgres", "FATAL:  sorry, too many clients already"),
    Template(12, _D, 4, "postgres", "ERROR:  deadlock detected on relation {number}"),
    Template(6, _V, 4, "nginx", "upstream timed out (110: Connection timed out) while reading, client: {ip}"),
    Template(2, _V, 1, "haproxy", "Server app/{word}{number} is DOWN, reason: Layer4 timeout"),
    Template(5, _V, 5, "haproxy", "Server app/{word}{number} is UP, reason: Layer7 check passed"),
    Template(25, _V, 6, "postfix/smtp", "{hex}: to=<{user}@mail.example>, relay=none, delay={number}, status=deferred"),
    Template(15, _D, 6, "backup", "backup job {word}-{number} completed in {number} s"),
    Template(2, _D, 4, "backup", "backup job {word}-{number} failed: no space left"),
    Template(6, _V, 5, "certwatch", "certificate {word}.demo.example expires in {number} days"),
    Template(120, _F, 6, "filter", "action=deny proto=tcp src={ip} dst={ip} dport={number} policy={word}"),
    Template(3, _F, 4, "vpn", "tunnel {word}-{number} is down, peer {ip}"),
    Template(6, _F, 5, "vpn", "tunnel {word}-{number} is up, peer {ip}"),
    Template(3, _F, 3, "ips", "IPS signature {number} ({word}) matched from {ip}"),
    Template(15, _F, 5, "ips", "IPS signature {number} ({word}) seen from {ip}"),
)

UNMATCHED: tuple[Template, ...] = (
    Template(1, _V, 6, "app", "worker {word} finished request for {user} in {number} ms"),
    Template(1, _V, 6, "app", "cache {word} rebuilt by {user}: {number} entries"),
    Template(1, _D, 6, "postgres", "checkpoint of {word} complete for {user}: wrote {number} buffers"),
    Template(1, _S, 6, "", "%DOT1X-6-SUCCESS: Authentication of {user} succeeded on {port} for {word}"),
    Template(1, _F, 6, "proxy", "session of {user} to {word}.demo.example closed after {number} s"),
    Template(1, _R, 6, "", "%NTP-6-PEERREACH: Peer {word} of {user} is reachable"),
)
"""No rule of the demonstration matches these; names make their signatures many."""

TRAPS: tuple[Trap, ...] = (
    Trap(8, _S, "1.3.6.1.6.3.1.1.5.3", "IF-MIB::linkDown"),
    Trap(14, _S, "1.3.6.1.6.3.1.1.5.4", "IF-MIB::linkUp"),
    Trap(2, _R, "1.3.6.1.6.3.1.1.5.1", "SNMPv2-MIB::coldStart"),
    Trap(10, _R, "1.3.6.1.6.3.1.1.5.5", "SNMPv2-MIB::authenticationFailure"),
    Trap(3, _U, "1.3.6.1.2.1.33.2.0.1", "UPS-MIB::upsTrapOnBattery"),
    Trap(1, _R, "1.3.6.1.2.1.15.0.2", "BGP4-MIB::bgpBackwardTransNotification"),
    Trap(2, _S, "1.3.6.1.4.1.9.9.13.3.0.2", "CISCO-ENVMON-MIB::ciscoEnvMonTemperatureNotification"),
    Trap(10, _R, "1.3.6.1.4.1.9.9.43.2.0.1", "CISCO-CONFIG-MAN-MIB::ciscoConfigManEvent"),
    Trap(12, _V, "1.3.6.1.2.1.43.18.2.0.1", "Printer-MIB::printerV2Alert"),
)

_USERS = ("alice", "bruno", "chiara", "dmitri", "elif", "farid", "greta", "hiroshi", "ines", "jonas", "kateryna",
          "liam", "mei", "noor", "olga", "pavel", "quentin", "rosa", "sven", "tomas", "ulla", "viktor", "wanda",
          "yusuf")  # fmt: skip
_WORDS = ("alpine", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "juniper", "krypton",
          "lagoon", "meadow", "nimbus", "onyx", "prairie", "quartz", "ripple", "saffron", "tundra", "umbra", "violet",
          "willow", "xenon", "yarrow", "zephyr", "lynx", "otter", "puffin", "stork", "toucan", "wombat")  # fmt: skip


def fill(random: Random, text: str) -> str:
    """The template with every blank filled."""
    return text.format_map(_Blanks(random))


class _Blanks(dict[str, str]):
    """Fills one blank at a time, so that a template may use one twice with different values."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def __missing__(self, name: str) -> str:
        random = self._random
        match name:
            case "ip":
                return f"198.51.100.{random.randrange(1, 255)}"
            case "port":
                return f"GigabitEthernet{random.randrange(1, 5)}/0/{random.randrange(1, 49)}"
            case "user":
                return random.choice(_USERS)
            case "word":
                return random.choice(_WORDS)
            case "hex":
                return f"{random.getrandbits(48):012x}"
            case "number":
                return str(random.randrange(1, 65000))
        raise KeyError(name)

"""Static settings: read once from a mapping (the environment), typed, misspelt names refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from schemas.errors import SettingsRefused
from schemas.topics import DEFAULT_PREFIX, use_prefix

PREFIX = "MUTT_"
_UNPREFIXED = frozenset(
    {
        "otel_exporter_otlp_endpoint",
        "prometheus_url",
        "vault_addr",
        "vault_cacert",
        "vault_role_id",
        "vault_secret_id_file",
        "vault_secrets_path",
    }
)

Port = Annotated[int, Meta(ge=0, le=65535)]
Brokers = Annotated[str, Meta(pattern=r"^([^\s,:]+|\[[^\s,]+\])(:\d{1,5})?(,([^\s,:]+|\[[^\s,]+\])(:\d{1,5})?)*$")]
"""host:port, with a comma between several."""
TopicPrefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
HostNames = Annotated[str, Meta(pattern=r"^(\*\.)?[A-Za-z0-9._-]+(,(\*\.)?[A-Za-z0-9._-]+)*$")]
"""Host names, with a comma between several; `*.example.org` for all below it."""
ReceiverHosts = Annotated[str, Meta(pattern=r"^(\*\.)?[A-Za-z0-9._:-]+(,(\*\.)?[A-Za-z0-9._:-]+)*$")]
"""The same, and addresses; one of version 6 without brackets."""
Origins = Annotated[str, Meta(pattern=r"^https?://[^\s,/*]+(,https?://[^\s,/*]+)*$")]
"""scheme://host[:port], with a comma between several."""
PostgresUrl = Annotated[str, Meta(pattern="^postgres(ql)?://")]
SslMode = Literal["disable", "verify-full"]
KafkaSecurity = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
SaslMechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]
HttpUrl = Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$")]
"""Without user and password: no setting holds a secret."""
VaultPath = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")]
Seconds = Annotated[float, Meta(gt=0)]


class Settings(Struct, frozen=True, kw_only=True):
    """One field per variable: `kafka_bootstrap` is read from MUTT_KAFKA_BOOTSTRAP. No field holds a secret."""

    home: str = ".mutt"
    """Folder of the development stack (`muttdev`)."""
    kafka_bootstrap: Brokers = "127.0.0.1:9092"
    kafka_security: KafkaSecurity = "plaintext"
    """ssl and sasl_ssl: TLS, with a certificate that is vouched for and has the address's name; sasl_plaintext and
    sasl_ssl: with the login that the secrets KAFKA_USER and KAFKA_PASSWORD are."""
    kafka_plain: bool = False
    """Whether brokers on another machine may be reached without TLS, where a private network does for it."""
    kafka_sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    kafka_cacert: str | None = None
    """File with the authorities that vouch for the brokers, instead of the system's."""
    topic_prefix: TopicPrefix = DEFAULT_PREFIX
    """How the names of all topics and consumer groups begin: PREFIX.alerts, PREFIX-match. Installations that share
    Kafka have one each."""
    kafka_cert: str | None = None
    """File with our certificate, where brokers ask for one (mTLS); and its key, which only we may read."""
    kafka_key: str | None = None
    database_url: PostgresUrl = "postgresql://mutt@127.0.0.1:5432/mutt"
    """Without a password: that is the secret DB_PASS_CURRENT."""
    database_sslmode: SslMode | None = None
    """verify-full: TLS alone, with a certificate that is vouched for and has the address's name. disable: none.
    Unset: what sslmode in the address says, else TLS where the server offers it, whoever it is."""
    database_plain: bool = False
    """Whether PostgreSQL on another machine may be reached without TLS, where a private network does for it."""
    database_cacert: str | None = None
    """File with the authorities that vouch for PostgreSQL, instead of the system's."""
    database_cert: str | None = None
    """File with our certificate for it, if it asks for one; and its key, which only we may read."""
    database_key: str | None = None
    secrets_dir: str | None = None
    """Folder with one file per secret, for development; not looked at where VAULT_ADDR is set."""
    vault_addr: HttpUrl | None = None
    """VAULT_ADDR: where secrets come from: Vault, or OpenBao."""
    vault_cacert: str | None = None
    """VAULT_CACERT: file with the authorities that vouch for it, instead of the system's."""
    vault_role_id: str | None = None
    """VAULT_ROLE_ID: the AppRole of this service; no secret."""
    vault_secret_id_file: str | None = None
    """VAULT_SECRET_ID_FILE: file with the secret id, read anew for every login."""
    vault_secret_id_wrapped: bool = False
    """That file holds a wrapping token, which gives the secret id once."""
    vault_token_file: str | None = None
    """File with a token, instead of an AppRole."""
    vault_mount: VaultPath = "secret"
    vault_secrets_path: VaultPath = "mutt"
    """VAULT_SECRETS_PATH: below which of the mount's paths ours lie, like mutt/prod."""
    vault_refresh: Annotated[float, Meta(ge=0.1, le=3600)] = 15.0
    """Seconds between two looks at the secrets."""
    vault_plain: bool = False
    """Whether http may reach it on another machine, where a private network does for TLS."""
    receiver: str = "moogsoft"
    """What kind of receiver alerts go to: moogsoft or webhook."""
    webhook_url: str = "http://127.0.0.1:8088/alerts"
    webhook_allowed_hosts: ReceiverHosts = "localhost,127.0.0.1,::1"
    """Receivers that plain http may reach and that may have private addresses; no others, whatever a name leads to."""
    webhook_cacert: str | None = None
    """File with the authorities that vouch for the receiver, instead of the system's."""
    webhook_client_cert: str | None = None
    """File with the certificate chain that mutt shows the receiver; looked at again when it changes."""
    webhook_client_key: str | None = None
    """File with its private key, without a passphrase, which only its owner may read."""
    webhook_timeout: Seconds = 10.0
    host: str = "127.0.0.1"
    """Address that metrics, health and the API listen on."""
    host_plain: bool = False
    """Whether that may be an address that others reach without TLS, where a proxy or a private network does for it."""
    tls_cert: str | None = None
    """File with the certificate chain that workers and the API show; looked at again when it changes."""
    tls_key: str | None = None
    """File with its private key, without a passphrase, which only its owner may read."""
    metrics_token_file: str | None = None
    """File with what a scraper of /metrics must bring as its bearer token; a second line is taken as well."""
    metrics_client_ca: str | None = None
    """File with the authorities whose client certificates open /metrics; needs tls_cert."""
    metrics_open: bool = False
    """Whether /metrics may be read without either by all who reach an address that is not loopback."""
    match_port: Port = 8081
    forward_port: Port = 8083
    dead_letters_port: Port = 8086
    snmp_bridge_port: Port = 8087
    api_port: Port = 8090
    """0 takes any free port."""
    allowed_hosts: HostNames | None = None
    """Names the API answers to, beside localhost and addresses: what stands in Host."""
    cors_origins: Origins | None = None
    """Sites whose pages may ask the API from a browser; none if unset."""
    prometheus_url: HttpUrl | None = None
    """PROMETHEUS_URL: where service levels can be asked of Prometheus too; as other tools name it, without MUTT_."""
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """OTEL_EXPORTER_OTLP_ENDPOINT: collector of OpenTelemetry that spans go to over HTTP; needs the extra `otel`."""
    log_level: str = "info"
    debug: bool = False
    """Commands show the traceback of a defect."""
    data_dir: str | None = None
    """Where Faust keeps its working files; a temporary folder if unset."""
    archive_dir: str | None = None
    """Folder that `mutt retention` writes archives to."""
    session_timeout: Annotated[float, Meta(ge=6, le=120)] = 10.0
    """Seconds after which Kafka gives a dead worker's partitions to others."""
    max_poll_records: Annotated[int, Meta(ge=1, le=5000)] = 2000
    batch_records: Annotated[int, Meta(ge=1, le=20000)] = 4000
    """Records one transaction takes at most."""
    held_records: Annotated[int, Meta(ge=1000, le=1_000_000)] = 40_000
    """Records a worker holds in memory at most (I6)."""
    transactions: Annotated[int, Meta(ge=1, le=64)] = 5
    """Transactions a worker has open at once."""
    drain_timeout: Seconds = 10.0
    """Seconds a worker gets to finish what it has in hand after SIGTERM."""
    watchdog_timeout: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    """Seconds without a poll or a commit, while there is something to poll or commit, after which a worker ends itself
    with status 70. A blocked event loop gets half of it, one piece of work twice, a rebalance two and a half times.
    Below 60 a slow but healthy database or group may end workers."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from variables that start with MUTT_; an empty value counts as unset.

        Raises SettingsRefused naming every misspelt variable and every bad value at once.
        """
        fields = {variable_of(name): name for name in cls.__struct_fields__}
        ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) or name in fields}
        given = {name: value for name, value in ours.items() if value != ""}
        problems = [_unknown(name, fields) for name in given if name not in fields]
        types = get_type_hints(cls, include_extras=True)
        values: dict[str, object] = {}
        for variable, name in fields.items():
            if variable in given:
                try:
                    values[name] = msgspec.convert(given[variable], types[name], strict=False)
                except msgspec.ValidationError as error:
                    problems.append(f"{variable}{_shown(given[variable])}: {error}")
        if problems:
            raise SettingsRefused(problems)
        return cls(**values)  # type: ignore[arg-type]

    def to_env(self) -> dict[str, str]:
        """The variables that give these settings again, for a child process."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {variable_of(name): str(value) for name, value in values.items() if value is not None}

    @property
    def hosts_allowed(self) -> tuple[str, ...]:
        return tuple(self.allowed_hosts.split(",")) if self.allowed_hosts else ()

    @property
    def receivers_allowed(self) -> tuple[str, ...]:
        return tuple(self.webhook_allowed_hosts.split(","))

    @property
    def origins_allowed(self) -> tuple[str, ...]:
        return tuple(self.cors_origins.split(",")) if self.cors_origins else ()

    @property
    def home_path(self) -> Path:
        return Path(self.home).resolve()


def settings_of_process(environ: Mapping[str, str]) -> Settings:
    """As `Settings.from_env`; and from here on topics and consumer groups have the names that these settings say."""
    settings = Settings.from_env(environ)
    use_prefix(settings.topic_prefix)
    return settings


def variable_of(field: str) -> str:
    """The variable that a field is read from."""
    return ("" if field in _UNPREFIXED else PREFIX) + field.upper()


def is_setting(variable: str) -> bool:
    """Whether mutt looks at this variable."""
    return variable.startswith(PREFIX) or variable in {name.upper() for name in _UNPREFIXED}


def _shown(value: str) -> str:
    """The refused value, unless it may hold a password that somebody put into an address."""
    return "" if "@" in value else f"={value!r}"


def _unknown(name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is no setting of mutt" + (f"; did you mean {near[0]}?" if near else "")

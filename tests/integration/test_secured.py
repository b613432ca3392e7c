"""All on AppRoles, TLS and logins: every secret is replaced and retention killed under traffic; then the books."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.processes import wait_until
from ops.devstack.provision import provision
from ops.devstack.tls_front import showing
from ops.vault.bootstrap import Place, hand_out, write_private
from schemas.errors import BrokerUnavailable, Refused
from schemas.secret_names import KAFKA_PASSWORD, Service, kafka_group
from streams.adapters.broker_access import BrokerAccess
from streams.adapters.broker_users import replace_password
from streams.adapters.brokers import check_brokers
from streams.adapters.database import create_pool
from streams.adapters.exact_producer import started_producer
from streams.adapters.secret_sources import vault_store
from streams.adapters.secrets import FileSecrets
from tests.crashes.lives import dead_at, start
from tests.crashes.points import POINTS
from tests.integration.aged import ALERTED, LOGGED, TOPIC, Aged, age
from tests.integration.conftest import Database, System, end_workers
from tests.integration.pipeline import add_rule, until
from tests.integration.renewals import Renewals
from tests.integration.rotating import Clients, Receiver, asking, listening
from tests.integration.rotations import LOOK_S, Rotations, appear_nowhere
from tests.integration.secured import Secured, is_refused, listens_at, logged_in_again, sessions
from tests.integration.vault import Vault
from tests.programs import run_text

pytestmark = pytest.mark.timeout(400)
WORKERS = (Service.MATCH, Service.FORWARD, Service.DEAD_LETTERS)
NAMES = ("match-1", "forward-1", "dead-letters-1", "api")
RUN = ("retention", "run", "--wait", "60")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Servers, roles, rights, schema and topics."""
    stack = Secured(tmp_path_factory.mktemp("secured") / "home", fsync=False)
    stack.bao.place = Place(token_ttl="6s", token_max_ttl="12s")
    try:
        stack.start_servers()
        asyncio.run(provision(stack))
        yield stack
    finally:
        end_workers(stack)
        stack.kafka.kill()  # nobody needs what they would tidy up
        stack.postgres.kill()
        stack.bao.kill()
        stack.stop_all()
        stack.layout.purge()


@pytest_asyncio.fixture
async def system(secured: Secured) -> AsyncIterator[System]:
    """Seen as the administrator of PostgreSQL, on TLS too."""
    url = secured.settings.database_url.replace("://", "://mutt@")
    settings = replace(secured.settings, database_url=url)
    secrets = FileSecrets(str(secured.layout.secrets))
    pool = await create_pool(settings, secrets, size=4)
    yield System(secured, Database(settings, secrets, pool))
    end_workers(secured)
    pool.terminate()


@pytest.mark.checks("KEY_1", "TLS_3", "FAUST_1")
async def test_all_is_replaced_and_retention_is_killed_under_traffic_and_the_books_balance(
    system: System, secured: Secured, tmp_path: Path
) -> None:
    pool, vault = system.database.pool, Vault(secured.bao)
    history = await age(pool, -6, -5)
    await fill(secured, history)
    await add_rule(pool, "link down")
    receiver = Receiver({vault.held("webhook")["MOOG_API_KEY"]}, {vault.held("webhook")["WEBHOOK_SIGNING_SECRET"]})
    async with listening(receiver, showing(secured.pairs["receiver"], secured.authorities)):
        clients, ports = begin(secured, receiver)
        rotations = Rotations(system, vault, receiver, clients)
        scopes = ("--scope", "events:read", "--scope", "events:write", "--scope", "audit:read")
        made = await asyncio.to_thread(rotations.mutt, Service.OPERATOR, "keys", "create", "walk", *scopes)
        clients.key = made["key"]
        async with asking(clients):
            await until(lambda: pool.fetchval("SELECT count(*) > 20 FROM alerts WHERE state = 'delivered'"), "traffic")
            await until(lambda: at_their_own_ports(secured, ports), "each listens at its port and no other")
            await identities(secured)
            await Renewals(secured, receiver, ports).everything()
            before = {name: sessions(secured, name) for name in NAMES}
            await die(system, "archive_described", tmp_path)
            await rotations.database("worker")
            await broker_passwords(secured, vault, rotations)
            await rotations.database("api")
            await rotations.database("retention", runs=False)
            await die(system, "part_detached", tmp_path)
            await rotations.token()
            await rotations.signing()
            await rotations.pepper()
            await rotations.single_key()
            done = await as_service(secured, Service.RETENTION, tmp_path, *RUN)
            await until(lambda: logged_in_again(secured, before), "each has logged in with its new password")
        sent = "SELECT count(*) = $1 FROM alerts WHERE state = 'delivered' AND created_at > now() - interval '1 day'"
        await until(lambda: pool.fetchval(sent, clients.accepted), "all are delivered", within=120)
    assert set(clients.answers) <= {200, 202}, clients.answers
    assert (receiver.refused, len(receiver.posts)) == (0, clients.accepted)
    assert dict(receiver.posts) == dict.fromkeys(receiver.posts, 1)
    assert await pool.fetchval("SELECT count(*) FROM audit") == clients.accepted > 100
    await archived(system, secured, history, tmp_path, done)
    books = await asyncio.to_thread(rotations.mutt, Service.OPERATOR, "ledger", "verify")
    assert (books["ok"], books["faults"], sum(each["lag"] for each in books["partitions"])) == (True, [], 0)
    logs = {"match-1.log", "forward-1.log", "api.log", "openbao.log", "postgres.log", "kafka.log"}
    appear_nowhere(secured.layout.logs, rotations.used, at_least=logs)


@pytest.mark.checks("SECRET_4")
def test_nothing_answers_in_the_open_and_no_secret_is_an_argument(secured: Secured) -> None:
    """Kafka, PostgreSQL, OpenBao: who comes without TLS is told nothing, and with TLS but no login neither."""
    open_kafka = replace(secured.settings, kafka_security="plaintext")
    no_login = replace(secured.administrator, kafka_cert=None, kafka_key=None)
    for settings in (open_kafka, no_login):
        with pytest.raises(BrokerUnavailable):
            asyncio.run(check_brokers(BrokerAccess(settings, FileSecrets(None))))
    with pytest.raises((OSError, asyncpg.PostgresError)):
        asyncio.run(asyncpg.connect(secured.settings.database_url, ssl="disable", user="mutt", timeout=20))
    with socket.create_connection(("127.0.0.1", secured.bao.port), 20) as plain:
        plain.sendall(b"GET /v1/sys/health HTTP/1.0\r\n\r\n")
        assert b"HTTPS server" in plain.recv(1000)
    files = [path for path in secured.layout.home.rglob("*") if path.is_file() and held_apart(path)]
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    running = [child for child in secured.processes().values() if child.running]
    told = b"".join(Path(f"/proc/{child.pid}/cmdline").read_bytes() for child in running)
    values = [path.read_text() for path in files if len(path.read_text()) < 200]
    assert len(values) > 20
    assert [value for value in values if value.encode() in told] == []


def held_apart(path: Path) -> bool:
    """Secrets, identities, logins, keys."""
    return path.parent.name == "secrets" or path.suffix == ".key" or {"identities", "logins"} & set(path.parts) != set()


# -- steps ------------------------------------------------------------------------------------------------------------


async def fill(secured: Secured, history: Aged) -> None:
    """The log has as many records as the history says were decided."""
    async with started_producer(secured.brokers) as producer:
        await asyncio.gather(*[await producer.send(TOPIC, b"{}", partition=0) for _ in range(history.offsets)])


def begin(secured: Secured, receiver: Receiver) -> tuple[Clients, dict[str, int]]:
    """The clients, and where each service shows its certificate."""
    shows = secured.pairs[Service.FORWARD]
    more: dict[str, Any] = {"webhook_url": receiver.url, "vault_refresh": LOOK_S} | {
        "webhook_client_cert": str(shows.certificate), "webhook_client_key": str(shows.key),
    }  # fmt: skip
    ports = {worker: free_port() for worker in WORKERS}
    for worker, port in ports.items():
        secured.start_worker(f"{worker}-1", **more | {f"{worker.replace('-', '_')}_port": port})
    api = secured.spawn("api", [*secured.mutt()[:1], "-m", "api"], **secured.identity(Service.API), **more)
    wait_until(secured._api_answers, what="the API", child=api, deadline_s=120)
    return Clients(secured.api_port, "", secured.trusts), ports | {Service.API: secured.api_port}


async def at_their_own_ports(secured: Secured, ports: dict[str, int]) -> bool:
    return all(listens_at(secured, f"{worker}-1") == {ports[worker]} for worker in WORKERS)


async def identities(secured: Secured) -> None:
    """New secret ids, of which each service takes its own with its next login, as its token ends within seconds."""
    owner = secured.bao.owner()
    for service in (*WORKERS, Service.API):
        role = f"mutt-{service}"
        old = owner.auth.approle.list_secret_id_accessors(role)["data"]["keys"]
        hand_out(owner, service, secured.bao.identity(service))
        for accessor in old:
            owner.auth.approle.destroy_secret_id_accessor(role, accessor)


async def broker_passwords(secured: Secured, vault: Vault, rotations: Rotations) -> None:
    """What is open stays open for at most four seconds; the old password opens nothing more."""
    before = vault.held(kafka_group(Service.API).path)
    rotor = replace(secured.administrator, **secured.identity(Service.ROTATE))
    for service in (*WORKERS, Service.API):
        arguments = ("secrets", "rotate-kafka", service, "--json")
        done = await asyncio.to_thread(
            run_text, "mutt", *arguments, environment=secured.surroundings(rotor), within=120
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["user"] == f"mutt-{service}"
        rotations.used.append(vault.held(kafka_group(service).path)[KAFKA_PASSWORD])
    folder = secured.layout.home / "stale"
    folder.mkdir(mode=0o700)
    for name, value in before.items():
        write_private(folder / name, value)
    stale = BrokerAccess(secured.settings, FileSecrets(str(folder)))
    await until(lambda: is_refused(stale), "the brokers have heard of it")


async def test_a_password_that_the_brokers_do_not_take_is_not_stored(secured: Secured) -> None:
    """Whoever may not alter the cluster, and whoever has none there."""
    rotor = replace(secured.settings, **secured.identity(Service.ROTATE))
    store, group = vault_store(rotor), kafka_group(Service.FORWARD)
    before = store.load(group).values
    with pytest.raises(BrokerUnavailable, match=r"(?i)authoriz"):
        await replace_password(store, secured.brokers, Service.FORWARD)
    held = {name: value.reveal() for name, value in store.load(group).values.items()}
    assert held == {name: value.reveal() for name, value in before.items()}
    secured.bao.owner().secrets.kv.v2.delete_metadata_and_all_versions("mutt/kafka/snmp-bridge", mount_point="secret")
    with pytest.raises(Refused, match="nothing is stored"):
        await replace_password(store, secured.brokers, Service.SNMP_BRIDGE)


async def test_topics_are_compared_by_an_operator_and_rights_by_an_administrator_of_the_brokers(
    secured: Secured, tmp_path: Path
) -> None:
    """Each with the login of no other service; and the rights are refused to a login that is no administrator's."""
    found = await as_service(secured, Service.OPERATOR, tmp_path, "topics", "check")
    assert found["ok"], found
    secured.bao.put(kafka_group(Service.ROTATE), Vault(secured.bao).held(kafka_group(Service.OPERATOR).path))
    rotor = secured.surroundings(replace(secured.settings, **secured.identity(Service.ROTATE)))
    done = await asyncio.to_thread(run_text, "mutt", "topics", "acl", "--check", environment=rotor, within=120)
    secured.bao.owner().secrets.kv.v2.delete_metadata_and_all_versions("mutt/kafka/rotate", mount_point="secret")
    assert (done.returncode, done.stdout) == (69, "")
    assert "uthoriz" in done.stderr


async def die(system: System, point: str, folder: Path) -> None:
    child = start(
        system, POINTS[point], arguments=RUN, archive_dir=str(folder), **system.stack.identity(Service.RETENTION)
    )
    await dead_at(system, child, POINTS[point])


async def as_service(secured: Secured, service: Service, folder: Path, *arguments: str) -> Any:
    settings = replace(secured.settings, archive_dir=str(folder), **secured.identity(service))
    done = await asyncio.to_thread(
        run_text, "mutt", *arguments, "--json", environment=secured.surroundings(settings), within=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def archived(system: System, secured: Secured, history: Aged, folder: Path, done: Any) -> None:
    """Nothing lost, nothing twice: each month is in one archive, verified, and in no table."""
    pool = system.database.pool
    assert done["problems"] == []
    verdicts = await as_service(secured, Service.OPERATOR, folder, "retention", "verify")
    assert (verdicts["ok"], verdicts["not_ours"]) == (True, [])
    rows = "SELECT sum(rows) FROM retention_archives WHERE kind = 'audit' AND state = 'removed'"
    assert await pool.fetchval(rows) == len(history.parts) * (LOGGED + ALERTED)
    outcomes = await pool.fetch("SELECT outcome, count(*) AS n FROM retention_runs GROUP BY 1")
    assert {row["outcome"]: row["n"] for row in outcomes} == {"killed": 2, "done": 1}
    parts = "SELECT count(*) FROM pg_class WHERE relname = ANY($1)"
    assert await pool.fetchval(parts, history.parts) == 0

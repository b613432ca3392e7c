"""Rights at Kafka, on a real broker with its authorizer: each client does its work and is refused everything else."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.client import AIOKafkaClient
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
)
from msgspec.structs import replace

from ops.devstack.processes import wait_until
from ops.devstack.stack import Stack
from schemas.errors import BrokerUnavailable, SettingsRefused
from schemas.settings import Settings
from schemas.topics import TOPICS
from streams.adapters.broker_access import BrokerAccess, connection
from streams.adapters.broker_rights import apply_rights, check_rights
from streams.adapters.brokers import check_brokers
from streams.adapters.ledger_check import checked_books
from streams.adapters.secrets import FileSecrets
from streams.adapters.topics import check_topics, create_topics, describe_topics
from streams.adapters.traces import read_record
from streams.core.broker_rights import IMPLIES, PREFIX, Client, Kind, Operation, wanted_rights
from tests.builders import event_json
from tests.certificates import Authority, Pair, needs_openssl
from tests.integration.conftest import GROUPS, Database, end_workers
from tests.integration.forwarding import listening
from tests.integration.guarded import Guarded
from tests.integration.pipeline import add_rule, settled, until
from tests.integration.tried import answered, first_offset, moves, read_from, would_change
from tests.programs import run_text

pytestmark = needs_openssl
NAMES = [topic.name for topic in TOPICS]
SYSLOG = "mutt.ingest.syslog"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Topics are made by whoever deploys, as soon as the rights are there; before that nobody may do anything."""
    guarded = Guarded.start(tmp_path_factory.mktemp("guarded"))
    deploys = guarded.access(Client.MIGRATE)
    try:
        with pytest.raises(BrokerUnavailable, match=r"(?i)authoriz"):
            asyncio.run(create_topics(deploys))
        added = asyncio.run(apply_rights(guarded.kafka.bootstrap))
        assert set(added) == wanted_rights()
        assert all(state.created for state in asyncio.run(create_topics(deploys)))
        yield guarded
    finally:
        guarded.kafka.kill()


def may(client: Client, kind: Kind, name: str) -> set[str]:
    """What the table allows, with what Kafka takes to be part of it."""
    rights = [each for each in wanted_rights() if each[:3] == (PREFIX + client, kind, name)]
    return {operation.name for each in rights for operation in (each.operation, *IMPLIES.get(each.operation, ()))}


@pytest.mark.checks("ACL_2")
def test_the_broker_lets_each_client_do_what_the_table_says_and_nothing_else(guarded: Guarded) -> None:
    """As its authorizer answers for every operation there is, on every topic, each group and the cluster."""
    make_groups(guarded)
    for client in Client:
        admin = AdminClient(guarded.librdkafka(client))
        for name, answer in admin.describe_topics(TopicCollection(NAMES), include_authorized_operations=True).items():
            assert operations(answer) == may(client, Kind.TOPIC, name), (client, name)
        for name, answer in admin.describe_consumer_groups(list(GROUPS), include_authorized_operations=True).items():
            assert operations(answer) == may(client, Kind.GROUP, name), (client, name)
        assert operations(admin.describe_cluster(include_authorized_operations=True)) == set(), client


@pytest.mark.checks("ACL_1", "ACL_2")
def test_a_record_is_taken_only_where_the_table_has_a_write(guarded: Guarded) -> None:
    """Tried on every topic that a client is shown; the others are refused it before that."""
    for client in Client:
        producer = Producer(guarded.librdkafka(client))
        seen = {name for name in NAMES if producer.list_topics(name, 60).topics[name].error is None}
        assert seen == {name for name in NAMES if "DESCRIBE" in may(client, Kind.TOPIC, name)}, client
        outcomes = sent_to(producer, seen)
        written = {name for name, error in outcomes.items() if error is None}
        assert written == {name for name in NAMES if "WRITE" in may(client, Kind.TOPIC, name)}, client
        codes = {error.code() for error in outcomes.values() if error is not None}
        assert codes <= {KafkaError.TOPIC_AUTHORIZATION_FAILED}, client


def sent_to(producer: Producer, names: set[str]) -> dict[str, KafkaError | None]:
    """A record on each of the topics: why it was refused, or None."""
    outcomes: dict[str, KafkaError | None] = {}
    for name in names:
        producer.produce(name, b"tried", on_delivery=lambda error, message: outcomes.update({message.topic(): error}))
    assert producer.flush(90) == 0
    return outcomes


@pytest.mark.checks("ACL_2")
async def test_a_record_that_is_there_is_given_only_where_the_table_has_a_read(guarded: Guarded) -> None:
    """Each topic holds a record, which is asked for as bare as the protocol has it; who may not read is given none."""
    opened = Producer({"bootstrap.servers": guarded.kafka.bootstrap})
    assert set(sent_to(opened, set(NAMES)).values()) == {None}
    places = [first_offset(guarded.kafka.bootstrap, name) for name in NAMES]
    for client in Client:
        given, codes = await read_from(guarded.access(client), places)
        assert given == {name for name in NAMES if "READ" in may(client, Kind.TOPIC, name)}, client
        assert {codes[name] for name in given} <= {KafkaError.NO_ERROR}, client
        assert {codes[name] for name in set(NAMES) - given} <= {KafkaError.TOPIC_AUTHORIZATION_FAILED}, client


@pytest.mark.checks("ACL_1", "ACL_2")
def test_nobody_changes_topics_records_or_positions_but_as_the_table_says(guarded: Guarded) -> None:
    """Each change is really asked for; what a client may change is only checked by the broker, and stays as it is."""
    make_groups(guarded)
    for client in Client:
        admin = AdminClient(guarded.librdkafka(client))
        assert would_change(admin) == {
            "delete": set(), "empty": set(),
            "create": {name for name in NAMES if "CREATE" in may(client, Kind.TOPIC, name)},
            "widen": {name for name in NAMES if "ALTER" in may(client, Kind.TOPIC, name)},
            "configure": {name for name in NAMES if "ALTER_CONFIGS" in may(client, Kind.TOPIC, name)},
        }, client  # fmt: skip
        topic = next((name for name in NAMES if "READ" in may(client, Kind.TOPIC, name)), SYSLOG)
        moved = {group for group in GROUPS if moves(admin, group, topic)}
        assert moved == {group for group in GROUPS if "READ" in may(client, Kind.GROUP, group)}, client
        assert answered(admin.delete_consumer_groups(list(GROUPS))) == set(), client


@pytest.mark.checks("ACL_2")
async def test_the_pipeline_works_with_a_login_and_a_certificate_for_each(
    guarded: Guarded, stack: Stack, postgres: Stack, database: Database
) -> None:
    pool, opened = database.pool, guarded.kafka.bootstrap
    base = replace(database.settings, kafka_bootstrap=opened)
    await add_rule(pool, "link down")
    books = guarded.access(Client.API)
    async with listening() as receiver:
        for client in (Client.MATCH, Client.FORWARD, Client.DEAD_LETTERS):
            settings = guarded.settings(base, client, webhook_url=receiver.url)
            if client is Client.MATCH:
                settings = guarded.mutual(replace(base, webhook_url=receiver.url))
            changes = {name: getattr(settings, name) for name in settings.__struct_fields__}
            stack.start_worker(f"{client}-1", **changes)
        values = [event_json(hostname=f"h{n}", message="link down") for n in range(20)]
        await asyncio.to_thread(send, guarded, [*values, b"no event"])
        try:
            await settled(pool, opened, within=180)
            delivered = "SELECT count(*) = 20 FROM alerts WHERE state = 'delivered'"
            await until(lambda: pool.fetchval(delivered), "all are delivered", within=180)
            committed = "SELECT count(*) >= 1 FROM dead_letters"
            await until(lambda: pool.fetchval(committed), "the letter is there", within=180)
        finally:
            end_workers(stack)
    await check_brokers(books)
    [place] = await pool.fetch('SELECT topic, partition, "offset" FROM audit LIMIT 1')
    record = await read_record(books, *place)
    assert not isinstance(record, str), record
    operator = guarded.access(Client.OPERATOR)
    assert len(await describe_topics(operator)) == len(TOPICS)
    assert (await checked_books(pool, operator)).faults == []


def send(guarded: Guarded, values: list[bytes]) -> None:
    failed: list[object] = []
    producer = Producer(guarded.librdkafka(Client.PRODUCER))
    for value in values:
        producer.produce(SYSLOG, value, b"h", on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(90) == 0
    assert failed == []


@pytest.mark.checks("ACL_1")
async def test_rights_are_compared_and_what_is_too_much_is_told(guarded: Guarded) -> None:
    found = await check_rights(guarded.kafka.bootstrap)
    assert (found.missing, found.extra) == ((), ())
    others = await check_rights(guarded.kafka.bootstrap, {Client.FORWARD: "User:other"})
    assert {right.principal for right in others.missing} == {"User:other"}
    assert "User:mutt-forward READ on the topic mutt.alerts" in others.extra
    environment = Settings(kafka_bootstrap=guarded.kafka.bootstrap).to_env()
    arguments = ("topics", "acl", "--check", "--json")
    done = await asyncio.to_thread(run_text, "mutt", *arguments, environment=environment, within=120)
    assert json.loads(done.stdout) == {"added": [], "missing": [], "extra": [], "ok": True}
    with pytest.raises(BrokerUnavailable, match=r"(?i)authoriz"):
        await check_rights(guarded.access(Client.MIGRATE))


@pytest.mark.checks("TLS_2")
async def test_brokers_are_who_their_certificate_says_and_a_wrong_login_is_told(
    guarded: Guarded, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger").certificate
    name = f"localhost:{guarded.guard.login_port}"
    for changes, why in (
        ({"kafka_cacert": str(stranger)}, "TLS fails: unable to get local issuer certificate"),
        ({"kafka_bootstrap": name}, "TLS fails: Hostname mismatch"),
    ):
        with pytest.raises(BrokerUnavailable, match=why):
            await check_brokers(guarded.access(Client.API, **changes))
    access = guarded.access(Client.API)
    (Path(str(access.settings.secrets_dir)) / "KAFKA_PASSWORD").write_text("wrong")
    with pytest.raises(BrokerUnavailable, match="the login is refused"):
        await check_topics(BrokerAccess(access.settings, FileSecrets(access.settings.secrets_dir)))
    with pytest.raises(SettingsRefused, match="KAFKA_USER and KAFKA_PASSWORD are not there"):
        await check_topics(BrokerAccess(access.settings, FileSecrets(None)))
    environment = guarded.settings(Settings(), Client.MIGRATE, kafka_cacert=str(stranger)).to_env()
    done = await asyncio.to_thread(run_text, "mutt", "topics", "check", environment=environment, within=120)
    assert (done.returncode, done.stdout) == (69, "")
    assert "TLS fails: unable to get local issuer certificate" in done.stderr


@pytest.mark.checks("TLS_3")
async def test_a_client_that_runs_shows_the_certificate_that_replaced_its_own(guarded: Guarded, tmp_path: Path) -> None:
    """Told by what it sees: the certificate is another client's, so that the broker says which one it was shown."""
    files = {name: tmp_path / name for name in ("kafka_cert", "kafka_key")}
    settings = guarded.mutual(Settings(), **{name: str(file) for name, file in files.items()})
    put(guarded.certificate, *files.values())
    client = AIOKafkaClient(**connection(BrokerAccess(settings, FileSecrets(None))))
    try:
        await client.bootstrap()
        assert await seen(client) == {name for name in NAMES if "DESCRIBE" in may(Client.MATCH, Kind.TOPIC, name)}
        put(guarded.authority.issue("mutt-rsyslog"), *files.values())
        for each in client._conns.values():
            each.close()
        assert await seen(client) == {name for name in NAMES if "DESCRIBE" in may(Client.RSYSLOG, Kind.TOPIC, name)}
    finally:
        await client.close()


def put(pair: Pair, certificate: Path, key: Path) -> None:
    shutil.copyfile(pair.certificate, certificate)
    shutil.copyfile(pair.key, key)
    key.chmod(0o600)


async def seen(client: AIOKafkaClient) -> set[str]:
    return set((await client.fetch_all_metadata()).topics())


def make_groups(guarded: Guarded) -> None:
    """A group is there once it has committed something."""
    for group in GROUPS:
        wait_until(lambda group=group: committed(guarded, group), what=f"the group {group}", deadline_s=180)


def committed(guarded: Guarded, group: str) -> bool:
    consumer = Consumer({"bootstrap.servers": guarded.kafka.bootstrap, "group.id": group})
    try:
        consumer.commit(offsets=[TopicPartition(SYSLOG, 0, 0)], asynchronous=False)
    except KafkaException:
        return False  # its coordinator is not there yet
    finally:
        consumer.close()
    return True


def operations(answer: object) -> set[str]:
    """What may be done; nothing where one may not even look."""
    try:
        described = answer.result(60)  # type: ignore[attr-defined]
    except KafkaException as error:
        if error.args[0].name() not in ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED"):
            raise
        return set()
    known = {operation.name for operation in Operation}
    return {each.name for each in described.authorized_operations or ()} & known

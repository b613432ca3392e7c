"""create_app: the composition root of a worker. One process has one role, one Faust app, one consumer group."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import traceback
from typing import Any, Protocol

import faust
import structlog
from faust.app.base import BootStrategy
from faust.tables import TableManager
from faust.types.tuples import TP
from mode.supervisors import CrashingSupervisor
from msgspec.structs import replace
from yarl import URL

from schemas.settings import Settings
from schemas.topics import Topic, consumer_group
from streams.adapters.broker_access import BrokerAccess, Brokers
from streams.adapters.secrets import SecretSource
from streams.broker_login import credentials
from streams.core.watchdog import WatchdogPolicy
from streams.driver import BatchConsumer, BatchTransport
from streams.stacks import task_stacks, thread_stacks
from streams.tasks import wait_for_topics
from streams.watchdog import Watchdog, WatchedWork

log = structlog.get_logger()

EXIT_INTERNAL = 70
HEARTBEAT_S = 1.0
"""A member learns only with its heartbeat that another came or went, and all of the group stand until each has."""
STOP_GRACE_S = 10.0
"""Seconds beyond the drain deadline after which a stop that hangs is cut; what is in hand comes again."""
LAST_WORDS_S = 5.0
"""Seconds in which a standstill is told; whoever holds the log up must not hold up the end."""


class Role(WatchedWork, Protocol):
    """What one kind of worker adds to the Faust app."""

    name: str
    topics: tuple[Topic, ...]

    async def open(self, app: WorkerApp) -> None:
        """Connects and loads what the work needs; waits for what is away. Called before the consumer starts."""

    async def work(self, stream: Any) -> None:
        """The agent: reads the stream until it ends."""

    def assigned(self, partitions: list[tuple[str, int]]) -> None: ...

    def revoked(self) -> None: ...

    async def drain(self, deadline_s: float) -> bool:
        """Finishes what is in hand; False if the deadline came first."""

    async def close(self) -> None: ...


class ConsumerOnly(BootStrategy):  # type: ignore[misc]
    """Starts no producer of Faust's: roles have their own, and its start gives up where no broker answers at once."""

    enable_kafka_producer = False


class WorkerApp(faust.App):  # type: ignore[misc]
    """A Faust application around one role: opens it before the first poll, drains it before the last."""

    BootStrategy = ConsumerOnly

    role: Role
    settings: Settings
    brokers: Brokers
    watchdog: Watchdog
    begun = False
    """Whether there may be work in hand: everything is open, and the consumer starts."""

    async def on_first_start(self) -> None:
        await self.role.open(self)
        await wait_for_topics(self.brokers, [topic.name for topic in self.role.topics])
        self.begun = True
        self.watchdog.start()
        await super().on_first_start()

    async def on_stop(self) -> None:
        """Takes no more, finishes and commits what is in hand, then lets Faust stop; a timer cuts a stop that hangs."""
        self.watchdog.stop()
        deadline = self.settings.drain_timeout
        timer = threading.Timer(deadline + STOP_GRACE_S, os._exit, args=(1,))
        timer.daemon = True
        timer.start()
        if self.begun:
            self.batch_consumer.stop_flow()
            if not await self.role.drain(deadline):
                log.warning("stopped with work in hand; it comes again", deadline_s=deadline)
            await self.batch_consumer.commit()
        await super().on_stop()
        await self.role.close()

    def end_standstill(self, verdict: str) -> None:
        """Says what stood still and where everything stands, and ends. The supervisor starts the worker again."""
        timer = threading.Timer(LAST_WORDS_S, os._exit, args=(EXIT_INTERNAL,))
        timer.daemon = True
        timer.start()
        loops = [self.loop] if self._consumer is None else [self.loop, self.batch_consumer.thread_loop]
        log.critical("stands still", stood_still=verdict, threads=thread_stacks(), tasks=task_stacks(loops))
        os._exit(EXIT_INTERNAL)

    @property
    def batch_consumer(self) -> BatchConsumer:
        consumer: BatchConsumer = self.consumer
        return consumer


class NoTables(TableManager):  # type: ignore[misc]
    """What Faust starts for its tables, of which we have none, without the second that it sleeps first."""

    mundane_level = "debug"

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class Worker(faust.Worker):  # type: ignore[misc]
    """Faust's, which sleeps for a second once everything has stopped; everything of ours is closed by then."""

    async def _sentinel_task(self) -> None:
        await asyncio.sleep(0)


def create_app(
    settings: Settings, role: Role, loop: asyncio.AbstractEventLoop, secrets: SecretSource | None = None
) -> WorkerApp:
    """The Faust app of a worker, to be run by `faust.Worker` in `loop`. docs/adr/0002 says why each setting.

    Without `secrets` it cannot log in at brokers that want it. Raises SettingsRefused.
    """
    brokers = settings.kafka_bootstrap if secrets is None else BrokerAccess(settings, secrets)
    app = WorkerApp(
        consumer_group(role.name),
        broker=f"kafka://{settings.kafka_bootstrap}",
        broker_credentials=credentials(brokers),
        loop=loop,
        datadir=settings.data_dir,
        agent_supervisor=CrashingSupervisor,
        broker_commit_interval=1.0,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_max_poll_interval=864_000,
        broker_max_poll_records=settings.max_poll_records,
        broker_rebalance_timeout=60.0,
        broker_request_timeout=max(40.0, settings.session_timeout + 1),
        broker_session_timeout=settings.session_timeout,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1024 * 1024,
        key_serializer="raw",
        value_serializer="raw",
        logging_config=None,
        stream_buffer_maxsize=16,
        stream_wait_empty=False,
        table_standby_replicas=0,
        TableManager=NoTables,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.settings, app.role, app.brokers = settings, role, brokers
    app.watchdog = Watchdog(
        WatchdogPolicy.of(settings.watchdog_timeout, slowest_s=settings.webhook_timeout),
        loop=loop,
        consumer=lambda: app._consumer,
        work=role,
        on_standstill=app.end_standstill,
        on_death=end_process,
    )
    app.transport = BatchTransport([URL(f"kafka://{settings.kafka_bootstrap}")], app, loop=loop)
    topic = app.topic(*(topic.name for topic in role.topics), key_type=bytes, value_type=bytes)
    app.agent(topic, name=role.name, concurrency=1)(role.work)
    _follow_assignment(app, role)
    return app


def _follow_assignment(app: WorkerApp, role: Role) -> None:
    async def assigned(_: Any, partitions: set[TP], **__: Any) -> None:
        log.info("assigned", partitions=len(partitions))
        role.assigned(sorted((tp.topic, tp.partition) for tp in partitions))

    async def revoked(_: Any, partitions: set[TP], **__: Any) -> None:
        log.info("revoked", partitions=len(partitions))
        role.revoked()

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)


def run_worker(settings: Settings, role: Role, secrets: SecretSource | None = None) -> None:
    """Runs the worker until SIGTERM or SIGINT; ends with SystemExit."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory(prefix="mutt-", ignore_cleanup_errors=True) as folder:
        app = create_app(replace(settings, data_dir=settings.data_dir or folder), role, loop, secrets)
        worker = Worker(
            app, loop=loop, loglevel=settings.log_level, override_logging=False, redirect_stdouts=False, quiet=True
        )
        worker.spinner = None
        worker.execute_from_commandline()


def end_process(error: BaseException) -> None:
    """A defect in a lane or a background task: say it and end. The supervisor restarts the worker, offsets intact."""
    log.critical("ends on a defect", error=repr(error), traceback="".join(traceback.format_exception(error)))
    os._exit(EXIT_INTERNAL)


__all__ = ["Role", "WorkerApp", "create_app", "end_process", "run_worker"]

"""arroyo in its idiomatic form: steps for deciding, batching and writing; given our matcher and a safe COPY."""

import signal
import sys

import orjson
from arroyo.backends.kafka import KafkaConsumer
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
from arroyo.commit import CommitPolicy
from arroyo.processing.processor import StreamProcessor
from arroyo.processing.strategies import BatchStep, CommitOffsets, RunTask, RunTaskInThreads
from arroyo.processing.strategies.abstract import ProcessingStrategyFactory
from arroyo.types import BrokerValue, Topic
from confluent_kafka import Producer

from tests.bench.rivals.common import ALERTS, Decider, SafeCopy, matcher, read_rules

AT_ONCE, WITHIN_S = 4000, 0.1


class Steps(ProcessingStrategyFactory):
    def __init__(self, bootstrap, decide, dsn):
        self.decide, self.copy = decide, SafeCopy(dsn)
        self.alerts = Producer(
            {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "compression.type": "lz4"}
        )

    def create_with_partitions(self, commit, partitions):
        write = RunTaskInThreads(self.write, concurrency=1, max_pending_futures=16, next_step=CommitOffsets(commit))
        return RunTask(self.judged, BatchStep(AT_ONCE, WITHIN_S, write))

    def judged(self, message):
        at = message.value
        assert isinstance(at, BrokerValue)
        row, alert = self.decide(
            at.partition.topic.name, at.partition.index, at.offset, at.timestamp.timestamp() * 1000, at.payload.value
        )
        return row, alert and (at.payload.key, alert)

    def write(self, message):
        found = [one.payload for one in message.payload]
        self.copy.write(row for row, _ in found)
        for _, raised in found:
            if raised:
                self.alerts.produce(ALERTS, orjson.dumps(raised[1]), key=raised[0])
                self.alerts.poll(0)


def main(bootstrap, topic, rules_file, dsn):
    rules = read_rules(rules_file)
    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            {}, f"arroyo-{dsn.rpartition('/')[2]}", auto_offset_reset="earliest", bootstrap_servers=[bootstrap]
        )
    )
    steps = Steps(bootstrap, Decider(rules, matcher(rules)), dsn)
    processor = StreamProcessor(consumer, Topic(topic), steps, CommitPolicy(1.0, None))
    signal.signal(signal.SIGTERM, lambda *_: processor.signal_shutdown())
    processor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

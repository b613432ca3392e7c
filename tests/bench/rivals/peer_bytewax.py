"""bytewax in its idiomatic form: Kafka source, map, a sink of whole batches; given our matcher and a safe COPY."""

import sys

import bytewax.operators as op
import orjson
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from tests.bench.rivals.common import ALERTS, Decider, SafeCopy, matcher, read_rules

AT_ONCE = 1000


class Partition(StatelessSinkPartition):
    def __init__(self, dsn):
        self.copy = SafeCopy(dsn)

    def write_batch(self, items):
        self.copy.write(items)


class Audit(DynamicSink):
    def __init__(self, dsn):
        self.dsn = dsn

    def build(self, step_id, worker_index, worker_count):
        return Partition(self.dsn)


def main(bootstrap, topic, rules_file, dsn):
    rules = read_rules(rules_file)
    decide = Decider(rules, matcher(rules))

    def judged(message):
        row, alert = decide(topic, message.partition, message.offset, message.timestamp[1], message.value)
        return row, KafkaSinkMessage(message.key, orjson.dumps(alert)) if alert else None

    flow = Dataflow("bytewax")
    records = op.input("records", flow, KafkaSource([bootstrap], [topic], batch_size=AT_ONCE))
    found = op.map("decide", records, judged)
    op.output("audit", op.map("rows", found, lambda one: one[0]), Audit(dsn))
    raised = op.filter_map("raised", found, lambda one: one[1])
    kop.output("alerts", raised, brokers=[bootstrap], topic=ALERTS, add_config={"acks": "all", "linger.ms": "5"})
    cli_main(flow)


if __name__ == "__main__":
    main(*sys.argv[1:])

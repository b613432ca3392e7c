"""quixstreams in its idiomatic form: a streaming data frame and a batching sink; given our matcher and a safe COPY."""

import sys

import orjson
from quixstreams import Application, message_context
from quixstreams.sinks import BatchingSink

from tests.bench.rivals.common import ALERTS, Decider, SafeCopy, matcher, read_rules

AT_ONCE = 4000


class Audit(BatchingSink):
    """Gets one batch a partition at every checkpoint."""

    def __init__(self, dsn):
        super().__init__()
        self.copy = SafeCopy(dsn)

    def write(self, batch):
        self.copy.write(item.value[0] for item in batch)


def main(bootstrap, topic_name, rules_file, dsn):
    rules = read_rules(rules_file)
    decide = Decider(rules, matcher(rules))
    app = Application(
        broker_address=bootstrap, consumer_group=f"quix-{dsn.rpartition('/')[2]}", auto_offset_reset="earliest",
        commit_every=AT_ONCE, commit_interval=1.0, loglevel="WARNING", auto_create_topics=False,
        producer_extra_config={"acks": "all", "linger.ms": 5, "compression.type": "lz4"},
    )  # fmt: skip
    topic = app.topic(topic_name, value_deserializer="bytes", key_deserializer="bytes")
    alerts = app.topic(ALERTS, value_serializer="bytes", key_serializer="bytes")

    def judged(value, key, timestamp, headers):
        at = message_context()
        return decide(topic_name, at.partition, at.offset, timestamp, value)

    found = app.dataframe(topic).apply(judged, metadata=True)
    found.filter(lambda one: one[1] is not None).apply(lambda one: orjson.dumps(one[1])).to_topic(alerts)
    found.sink(Audit(dsn))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

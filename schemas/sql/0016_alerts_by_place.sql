-- Who asks what became of one event asks for its alert by the record's place; without this every alert is looked at.
CREATE INDEX alerts_place ON alerts (topic, partition, "offset");

-- The open letters in the order in which a replay sends them: without it each chunk reads and sorts all that are left.
CREATE INDEX dead_letters_open_order ON dead_letters (topic, partition, broker_time, "offset", id) WHERE state = 'open';

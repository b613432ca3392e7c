"""Real Kafka, PostgreSQL and a webhook receiver for one machine, from Python packages."""

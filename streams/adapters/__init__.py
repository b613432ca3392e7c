"""How mutt talks to PostgreSQL, Kafka and the receiver: one module per thing outside."""

"""The pipeline: workers that take records from Kafka, decide, write and deliver."""

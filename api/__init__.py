"""The window: an HTTP API that reads the tables."""

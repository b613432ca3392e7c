"""Fuzz runs: `make fuzz` asks the API from its own documentation, or feeds whatever reads the bytes of outsiders."""

"""Thin loops: take a batch, ask the core, call a port, acknowledge."""

"""Planted bugs: mistakes a developer could make, each of which turns a detector red."""

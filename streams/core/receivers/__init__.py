"""Receivers of alerts: one module each, and the list of them."""

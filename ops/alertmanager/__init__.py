"""Alertmanager for mutt: who hears of what."""

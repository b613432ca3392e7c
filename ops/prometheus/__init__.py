"""Prometheus and Alertmanager for mutt: what is scraped, which rules there are, and when they alert."""

"""Dashboards for Grafana: tables of panels here, the JSON made of them in dashboards/, and what loads it."""

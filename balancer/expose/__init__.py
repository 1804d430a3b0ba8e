"""Outcomes to people and machines: plan document, reports, metrics, logs, health. Reads values, moves nothing."""

"""Findings without a model: the rule engine, the flow of values, secrets; rules are data."""

"""Runs that several machines carry out together, on PostgreSQL and DBOS (the extra `cluster`)."""

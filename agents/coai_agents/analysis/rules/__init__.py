"""Rules: data, what checks it, what matches by it."""

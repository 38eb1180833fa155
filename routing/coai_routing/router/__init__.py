"""Carrying a plan out: limits, single flight, cache, fallback, hedges, retries."""

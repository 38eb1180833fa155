"""Mistakes that a function's tree shows by itself: bounds, conversions, contexts, nonces."""

"""The model pool: for each model at an endpoint its provider, breaker, speed and load."""

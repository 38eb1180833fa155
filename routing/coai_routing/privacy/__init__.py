"""What may leave the machine: the decision, what is sensitive, and the log of departures."""

"""What servers answer: streams, refusals, complaints, read into values and typed errors."""

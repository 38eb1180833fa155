"""The application layer: what every door calls. Plain values in, plain values out, no protocol."""

"""Tools: what an agent may do without a model, each with its effect, arguments and result."""

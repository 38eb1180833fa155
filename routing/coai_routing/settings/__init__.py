"""Settings: schema, layers, what a project may narrow, and the generated reference."""

"""What is known about models: families, weights, capabilities, prices, complexity."""

"""Floor 1: reaches models. It knows neither editors nor syntax trees."""

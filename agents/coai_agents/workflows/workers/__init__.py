"""Who does the steps of runs: models by profile and role, specialists, tools, scripts."""

"""What calls share that come one after the other: models, hands of workflows, runs behind them."""

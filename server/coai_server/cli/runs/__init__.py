"""Commands of workflows: `coai run`, `coai runs`, `coai ensembles`, `coai profiles`."""

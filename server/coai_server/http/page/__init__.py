"""The page: runs, findings, usage and the privacy log, rendered here, for a browser."""

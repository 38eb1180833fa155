"""What the specialists say and do, in an editor: one file per request."""

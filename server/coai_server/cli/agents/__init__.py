"""The commands of the specialists: each converts, asks floor 2, and converts back."""

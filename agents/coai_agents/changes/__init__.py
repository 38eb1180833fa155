"""The same change elsewhere: what one edit says of other places, without a model."""

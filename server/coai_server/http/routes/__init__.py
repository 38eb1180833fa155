"""The routes, by what they do: convert what is asked, ask the floor below, convert back."""

"""What a prompt holds, and which of them is sent."""

"""The encoder room."""

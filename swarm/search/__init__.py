"""The search itself, and who is selected when it ends."""

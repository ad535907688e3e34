"""What a run writes, line by line, and reads back."""

"""What makes one evaluation better than another."""

"""The configuration: its schema, its reading, its errors."""

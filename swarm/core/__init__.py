"""The nouns that every room shares, and the few tools that no room owns."""

"""Examples read from files, dealt into splits that never overlap, and checked against what experts were trained on."""

"""The command line: arguments, the progress display, the table of results.

It may import every room, heavy ones only inside commands, so that `swarm --help` answers at once. It alone prints and
decides exit codes. Nothing may be decided here that the Python interface would need too.
"""

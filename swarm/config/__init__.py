"""The configuration: what the user's YAML file says, checked and complete. In the order in which a file passes through:

    yaml_files.py   a file, or the value of --set, to plain values, within bounds of time and memory
    load.py         YAML and --set to a validated config, and a config back to YAML
    schema.py       every key with its type, default and description; the JSON schema
    messages.py     what is wrong with a config, in one line: key, value, remedy
    composing.py    the part of a config that swarm compose takes
    references.py   zoo names, paths and hub ids to local paths

It imports the seams, and the settings of data, experts, evaluation and workers, of which the schema is made; and zoo,
which knows where its files are. It must never open weights, read examples or start anything. It knows nothing of runs.
"""

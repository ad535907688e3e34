"""What workers need of a machine, held against what each machine has."""

"""`python -m swarm.cli`: the command line, where no `swarm` lies on the path."""

from swarm.cli.main import main

if __name__ == "__main__":
    main()

"""``python -m affectspace``: the command, where its folder of scripts is not on the path."""

from affectspace.cli.app import main

if __name__ == "__main__":  # a worker that is spawned imports this module, too
    main()

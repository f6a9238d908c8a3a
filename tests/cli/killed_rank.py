"""The command ``affectspace``, of which one process is killed before a batch: ``killed_rank.py RANK BATCH COMMAND...``.

It is killed in the first life of the command alone, by SIGKILL, as the system does when memory runs out.
"""

import os
import signal
import sys
from typing import Any

from affectspace.cli.app import main
from affectspace.training.data import Data


def kill_before(rank: str, batch: int) -> None:
    draw, drawn = Data.shared_batch, []

    def kills(self: Data, *given: Any) -> Any:
        drawn.append(None)
        first_life = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
        if first_life and os.environ["RANK"] == rank and len(drawn) == batch:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(self, *given)

    Data.shared_batch = kills


if __name__ == "__main__":
    kill_before(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()

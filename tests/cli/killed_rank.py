"""The command ``affectspace``, of which one process is killed before a batch: ``killed_rank.py RANK BATCH COMMAND...``.

It is killed in the first life of the command alone, by SIGKILL, as the system does when memory runs out.
"""

import os
import signal
import sys
from typing import Any

from affectspace.cli.app import main
from affectspace.training.data import Data

rank, batch = (int(number) for number in sys.argv[1:3])
draw, drawn = Data.shared_batch, []


def kills(self: Data, *given: Any) -> Any:
    drawn.append(None)
    first_life = os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0"
    if first_life and os.environ.get("RANK") == str(rank) and len(drawn) == batch:
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(self, *given)


Data.shared_batch = kills
sys.argv[1:] = sys.argv[3:]
main()

"""Train once undisturbed; then again and again, each time killed at a random call and resumed.

Usage: python kill_and_resume.py WORLD OUT KILLS

A profile hook counts the calls of functions, Python's and C's, and sends SIGKILL to its own process at a
number drawn at random, so that the moments cover all that a run does without looking at a clock. Every
fourth kill is drawn within the writing of a checkpoint. Prints JSON: how many kills there were, and how many
struck while a checkpoint was being written.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

import torch

from affectspace.training import Recipe, make_recipe, train


def recipe_for(world: str) -> Recipe:
    """Everything that a run can depend on: dropout, triplets, augmentation, checkpoints within an epoch, snapshots."""
    return make_recipe(
        {
            "name": "killed",
            "data": world,
            "corpora": [{"path": "alva"}, {"path": "boro"}],
            "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
            "features": {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}},
            "protocol": {
                "kind": "cross_corpus", "train": ["alva"], "test": ["boro"],
                "validate_by": "session", "allow": ["script"],
            },
            "encoder": {"kind": "mlp", "hidden": 8, "dropout": 0.3},
            "terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity", "pairs": "triplets"}],
            "training": {
                "epochs": 3, "batch_size": 4, "learning_rate": 1e-3, "checkpoint_steps": 2, "checkpoint_seconds": 0,
            },
            "augment": {"speed": [0.9, 1.1], "noise": [10, 30], "time_masks": 1, "time_width": 5},
            "monitor": {"snapshots": [2]},
        }
    )  # fmt: skip


def attempt(recipe: Recipe, folder: Path, kill: tuple[int, int] | None) -> tuple[bool, int, bool]:
    """Train in a child, killed at call ``kill[1]`` of the whole run (``kill[0]`` 0) or of its n-th checkpoint.

    Returns:
        whether it finished, how many calls it made, and whether it was killed while writing a checkpoint.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        told = os.read(reader, 100).decode().split()
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
            sys.exit(f"training failed with exit code {os.WEXITSTATUS(status)}")
        return not os.WIFSIGNALED(status), int(told[0]), told[1] == "True"
    try:
        seen = checkpoints = 0
        writing, within = None, 0  # the frame of the checkpoint being written, and the calls since it began

        def count(frame, event, argument):
            nonlocal seen, checkpoints, writing, within
            if event == "return" and frame is writing:
                writing = None
            if event not in ("call", "c_call"):
                return
            seen += 1
            within += 1
            if event == "call" and frame.f_code.co_name == "save_checkpoint":
                writing, within = frame, 0
                checkpoints += 1
            if kill in ((0, seen), (checkpoints if writing else -1, within)):
                sys.setprofile(None)
                os.write(writer, f"{seen} {writing is not None}".encode())
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        train(recipe, folder, resume=True, quiet=True)
        sys.setprofile(None)
        os.write(writer, f"{seen} False".encode())
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def main(world: str, out: Path, kills: int) -> None:
    torch.set_num_threads(1)
    os.environ["AFFECTSPACE_CACHE"] = str(out / "cache")
    recipe = recipe_for(world)
    _, total, _ = attempt(recipe, out / "undisturbed", None)
    generator = random.Random(0)

    def draw(struck: int) -> tuple[int, int]:
        in_checkpoint = struck % 4 == 3
        return (
            (generator.randint(1, 2), generator.randint(1, 100)) if in_checkpoint else (0, generator.randint(1, total))
        )

    struck = inside = number = 0
    while struck < kills:
        folder = out / f"killed-{number:02d}"
        number += 1
        for _ in range(4):  # up to four kills in one run's life, then it may finish
            if struck == kills:
                break
            finished, _, in_checkpoint = attempt(recipe, folder, draw(struck))
            if finished:
                break
            struck += 1
            inside += in_checkpoint
        attempt(recipe, folder, None)
    print(json.dumps({"kills": struck, "inside_checkpoint": inside, "calls": total}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

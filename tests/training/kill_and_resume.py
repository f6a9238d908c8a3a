"""Train once undisturbed; then again and again, each time killed at a random call and resumed.

A profile hook counts the calls of functions, Python's and C's, and sends SIGKILL to its own process at a
number drawn at random, so that the moments cover all that a run does without looking at a clock. Every
fourth kill is drawn within the writing of a checkpoint. What is killed is a fork of the process that asks, which has
imported all that training needs.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

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
                "epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "checkpoint_steps": 2, "checkpoint_seconds": 0,
            },
            "augment": {"speed": [0.9, 1.1], "noise": [10, 30], "time_masks": 1, "time_width": 5},
            "monitor": {"snapshots": [2]},
        }
    )  # fmt: skip


def count_calls(recipe: Recipe, folder: Path, strike: Callable[[int, int, int, bool], None]) -> int:
    """Train, and tell ``strike`` at each call how many there were, in how many checkpoints and since the last one
    began, and whether that is still being written; returns how many there were."""
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
        strike(seen, checkpoints, within, writing is not None)

    sys.setprofile(count)
    try:
        train(recipe, folder, resume=True, quiet=True)
    finally:
        sys.setprofile(None)
    return seen


def killed(recipe: Recipe, folder: Path, kill: tuple[int, int]) -> tuple[bool, bool]:
    """Train in a child, killed at call ``kill[1]`` of the whole run (``kill[0]`` 0) or of its n-th checkpoint.

    Returns:
        whether it was, and whether that was while it wrote a checkpoint.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        told = os.read(reader, 100).decode()
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
            sys.exit(f"training failed with exit code {os.WEXITSTATUS(status)}")
        return os.WIFSIGNALED(status), told == "True"

    def strike(seen: int, checkpoints: int, within: int, writing: bool) -> None:
        if kill in ((0, seen), (checkpoints if writing else -1, within)):
            sys.setprofile(None)
            os.write(writer, str(writing).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        count_calls(recipe, folder, strike)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def kill_and_resume(world: str, out: Path, kills: int) -> int:
    """Runs in ``out``: ``undisturbed`` and ``killed-00``, ``killed-01`` ... until so many kills have struck.

    Returns:
        how many struck while a checkpoint was being written.
    """
    recipe = recipe_for(world)
    total = count_calls(recipe, out / "undisturbed", lambda *told: None)
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
            was_killed, in_checkpoint = killed(recipe, folder, draw(struck))
            if not was_killed:
                break
            struck += 1
            inside += in_checkpoint
        train(recipe, folder, resume=True, quiet=True)
    return inside

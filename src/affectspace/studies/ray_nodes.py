"""The nodes of a Ray cluster that can train the runs of a study: they join, are asked what they see, and are lost."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self

from affectspace.clusters import Asked, Node, Sight, Unfit, Wanted, look, nodes

__all__ = ["FitNodes"]


class FitNodes:
    """Nodes that can do the work, for the length of a block; for who is connected to the cluster.

    Each is asked once what it has and sees (:func:`affectspace.clusters.look`): one that cannot do the work is left out
    and told.

    Args:
        wanted: what they must have and see.
        offers: what a node brings, in words.
        tell: what happens to nodes, in sentences.

    Attributes:
        fit: what is known of each, by its id.
        unfit: nodes that are left out.
        lost: names of nodes that were lost.

    Raises:
        InputError: on entering: no node can do the work; why, for each.
    """

    def __init__(
        self,
        wanted: AbstractContextManager[Wanted],
        offers: Callable[[Node], str],
        tell: Callable[[str], None],
    ):
        self.fit: dict[str, Sight] = {}
        self.unfit: list[Unfit] = []
        self.lost: list[str] = []
        self._wanted, self._offers, self._tell = wanted, offers, tell
        self._known: set[str] = set()
        self._asked: dict[Any, Asked] = {}

    def __enter__(self) -> Self:
        self._asking = self._wanted.__enter__()
        try:
            found = nodes()
            self._known = {node.id for node in found}
            fit, unfit = look(found, self._asking)
            for each in fit:
                self._welcome(each)
            for each in unfit:
                self.leave_out(each)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted.__exit__(None, None, None)

    @property
    def asked(self) -> list[Any]:
        """Ray's references to what nodes that have joined have yet to say."""
        return list(self._asked)

    def look_again(self) -> set[str]:
        """See which nodes have joined, and ask them; and which are gone. The ids of those that there are."""
        found = {node.id: node for node in nodes()}
        for node in found.values():
            if node.id not in self._known:
                self._known.add(node.id)
                asked = Asked(node, self._asking)
                self._asked[asked.answer] = asked
        for gone in self.fit.keys() - found.keys():
            name = self.fit.pop(gone).node.name
            self.lost.append(name)
            self._tell(f"node {name} is lost; what it was doing is done by others")
        return {*found}

    def heard(self, answer: Any) -> None:
        """A node has said what it has and sees.

        Args:
            answer: one of :attr:`asked`.
        """
        match self._asked.pop(answer).heard():
            case Sight() as sight:
                self._tell(f"node {sight.node.name} has joined, with {self._offers(sight.node)}")
                self._welcome(sight)
            case Unfit() as unfit:
                self.leave_out(unfit)

    def leave_out(self, unfit: Unfit) -> None:
        """Use a node no more."""
        self.fit.pop(unfit.node.id, None)
        self.unfit.append(unfit)
        self._tell(f"node {unfit.node.name} is left out: {unfit.why}")

    def _welcome(self, sight: Sight) -> None:
        self.fit[sight.node.id] = sight
        if sight.note:
            self._tell(sight.note)

"""Hands of items: who of a class is in which batch."""

import numpy as np

__all__ = ["dealt", "dealt_across"]


def dealt(cards: np.ndarray, hand: int, hands: int, rng: np.random.Generator) -> np.ndarray:
    """``(hands, hand)`` of the cards, none twice in a hand, each as often as any other to within one."""
    hand = min(hand, len(cards))
    rows = np.empty((hands, hand), np.int64)
    left = np.empty(0, np.int64)
    for row in rows:
        if len(left) < hand:  # the last cards of a deck come first, and none of them again in this hand
            fresh = rng.permutation(cards)
            waits = np.isin(fresh, left)
            need = hand - len(left)
            first = fresh[~waits][:need]
            row[:] = np.concatenate([left, first])
            left = np.concatenate([fresh[~waits][need:], fresh[waits]])
        else:
            row[:], left = left[:hand], left[hand:]
    return rows


def dealt_across(
    cards: np.ndarray, groups: np.ndarray, speakers: np.ndarray, hand: int, hands: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Hands to which groups give alike, and in which the speakers of a group take turns.

    A group, such as a language, that has too few cards for its part gives all it has, and the hand is smaller by what
    it lacks: what others would give in its place would be seen in no other language. Where a hand cannot be shared
    out evenly, groups take turns in giving one more.

    Of a group's speakers each comes as often as any other to within one, however many items each has, as long as no
    hand needs more of one than there are: one who has most of an emotion's items does not stand for the emotion.

    Args:
        cards: ``(items,)`` int64, what is dealt.
        groups: ``(items,)`` the group of each.
        speakers: ``(items,)`` the speaker of each.
        hand: items in a hand.
        hands: how many hands.
        rng: of the epoch.

    Returns:
        the hands, group by group within each.
    """
    present = rng.permutation(np.unique(groups))
    parts = hand // len(present) + (  # so many of the groups give one more, beginning with another in each hand
        (np.arange(len(present)) - np.arange(hands)[:, None] * (hand % len(present))) % len(present)
        < hand % len(present)
    )
    given = [
        _in_turns(cards[groups == each], speakers[groups == each], parts[:, n], rng) for n, each in enumerate(present)
    ]
    return [np.concatenate([of_group[number] for of_group in given]) for number in range(hands)]


def _in_turns(cards: np.ndarray, speakers: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Hands of these sizes of one group's cards; its speakers take turns, and none of the cards is twice in a hand."""
    decks = [cards[speakers == each] for each in np.unique(speakers)]
    left: list[list[int]] = [[] for _ in decks]
    turns: list[int] = []
    hands = []
    for size in sizes.tolist():
        held: list[int] = []
        heard: list[int] = []
        while len(held) < min(size, len(cards)):
            if not turns:  # whoever is heard in this hand already comes last in the new round
                turns = sorted(rng.permutation(len(decks)).tolist(), key=lambda each: each in heard)
            speaker = turns.pop(0)
            free = [card for card in left[speaker] if card not in held]
            if not free:
                left[speaker] += [
                    card for card in rng.permutation(decks[speaker]).tolist() if card not in left[speaker]
                ]
                free = [card for card in left[speaker] if card not in held]
            if free:  # else all of this speaker's are in the hand, and the next one's turn has come
                left[speaker].remove(free[0])
                held.append(free[0])
                heard.append(speaker)
        hands.append(np.array(held, np.int64))
    return hands

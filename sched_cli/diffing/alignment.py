"""Which item of one list belongs to which of another: a longest common subsequence.

Found as diff tools do, by the fewest insertions and deletions (Myers, "An O(ND)
Difference Algorithm and Its Variations", 1986). The cost grows with how much
differs, so that is bounded: lists that have next to nothing in common are only
aligned at their ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Pair = tuple[int | None, int | None]

# Memory grows with its square: some 16 MB.
MAXIMUM_EDITS = 1_000


def align(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Pair]:
    """Every index of both sides once, in order; None where the other has nothing."""
    shorter = min(len(left), len(right))
    begin = 0
    while begin < shorter and left[begin] == right[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and left[-1 - end] == right[-1 - end]:
        end += 1
    middle = _align(left[begin : len(left) - end], right[begin : len(right) - end])
    pairs: list[Pair] = [(index, index) for index in range(begin)]
    pairs += [
        (None if i is None else begin + i, None if j is None else begin + j) for i, j in middle
    ]
    pairs += [(len(left) - k, len(right) - k) for k in range(end, 0, -1)]
    return pairs


def _align(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Pair]:
    furthest = _search(left, right)
    if furthest is None:
        return [(i, None) for i in range(len(left))] + [(None, j) for j in range(len(right))]
    return _walk_back(len(left), len(right), furthest)


def _search(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[dict[int, int]] | None:
    """For each number of edits, how far into `left` each diagonal was reached with
    fewer; None when it takes too many edits. The diagonal of (i, j) is i - j."""
    reached = {1: 0}
    history: list[dict[int, int]] = []
    for edits in range(min(len(left) + len(right), MAXIMUM_EDITS) + 1):
        history.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            i = _furthest(reached, diagonal, edits)
            j = i - diagonal
            while i < len(left) and j < len(right) and left[i] == right[j]:
                i, j = i + 1, j + 1
            reached[diagonal] = i
            if i >= len(left) and j >= len(right):
                return history
    return None


def _furthest(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """Where a path with one edit more begins on this diagonal."""
    if _comes_from_above(reached, diagonal, edits):
        return reached[diagonal + 1]
    return reached[diagonal - 1] + 1


def _comes_from_above(reached: dict[int, int], diagonal: int, edits: int) -> bool:
    """Whether the last edit took an item of `right`, not one of `left`."""
    return diagonal == -edits or (
        diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1]
    )


def _walk_back(i: int, j: int, history: list[dict[int, int]]) -> list[Pair]:
    pairs: list[Pair] = []
    for edits in range(len(history) - 1, -1, -1):
        reached, diagonal = history[edits], i - j
        above = _comes_from_above(reached, diagonal, edits)
        begin = _furthest(reached, diagonal, edits)
        while i > begin:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        if edits == 0:
            break
        if above:
            j -= 1
            pairs.append((None, j))
        else:
            i -= 1
            pairs.append((i, None))
    pairs.reverse()
    return pairs

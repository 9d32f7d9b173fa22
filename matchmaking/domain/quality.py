"""How even a pair is."""


def evenness(rating_a: float, rating_b: float) -> float:
    """Return twice the expected score of the weaker side, 2 / (1 + 10^(gap/400)): 1 for equals, towards 0.

    The expected score is Elo's, on the familiar scale where 400 points make odds of ten to one.
    """
    gap = min(abs(rating_a - rating_b), 40_000.0)
    return 2 / (1 + 10 ** (gap / 400))

"""Where ratings come from: built in, one per player and pool."""

from matchmaking.models import Pool, Rating

DEFAULT_RATING = 1500.0


def rating_of(pool: Pool, user_id: str) -> float:
    """Return a player's rating in a pool, on the familiar 1500 scale."""
    value = Rating.objects.filter(pool=pool, user_id=user_id).values_list("value", flat=True).first()
    return DEFAULT_RATING if value is None else value

"""What is known of players: ratings, what they want, and whom they never want to meet."""

from typing import ClassVar

from django.db import models

from matchmaking.domain.skill import FIRST_DEVIATION, FIRST_VALUE, Skill
from matchmaking.models.pools import Pool, identifier


class Rating(models.Model):
    """A player's rating in a pool, and in those that share its ratings; a player without a row has 1500."""

    tenant_id = models.CharField(max_length=64, validators=[identifier])
    user_id = models.CharField(max_length=64, validators=[identifier])
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="ratings")
    value = models.FloatField(default=FIRST_VALUE)
    deviation = models.FloatField(
        default=FIRST_DEVIATION,
        help_text="How unsure the value is, in points; above 110 it is provisional.",
    )
    games = models.PositiveIntegerField(default=0, help_text="Rated matches so far.")
    updated_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(
        null=True, blank=True, help_text="When the rating service said so; empty: it is to be asked."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "user_id"], name="rating_once_per_pool"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.value:.0f}"

    @property
    def skill(self) -> Skill:
        """The rating as the rules see it."""
        return Skill(self.value, self.deviation)


class Preferences(models.Model):
    """What a player wants wherever it queues."""

    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    regions = models.JSONField(default=list)
    modes = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "preferences"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "user_id"], name="preferences_once_per_player"),
        ]

    def __str__(self) -> str:
        return self.user_id


class Block(models.Model):
    """A player who never wants to meet another."""

    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    blocked_id = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "user_id", "blocked_id"], name="block_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant_id", "blocked_id"], name="blocks_of_blocked")]

    def __str__(self) -> str:
        return f"{self.user_id} never meets {self.blocked_id}"

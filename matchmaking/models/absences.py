"""Players who were offered a match and were not there for it."""

from typing import ClassVar

from django.db import models

from matchmaking.models.matches import Match
from realtime.identifiers import new_id


class Absence(models.Model):
    """A player who did not come to a match, or did not stay: once per match and player.

    There is none where the server cannot show that the match was offered.
    """

    class Kind(models.TextChoices):
        """In what way."""

        NO_SHOW = "no_show", "never came"
        ABANDONED = "abandoned", "left for good"
        NOT_ACCEPTED = "not_accepted", "neither accepted nor declined"

    PAUSING = (Kind.NO_SHOW, Kind.NOT_ACCEPTED)
    """What makes a player pause when it happens again; the opponent of who abandons has won at least."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="absences")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True, help_text="Since when it counts no longer.")
    lifted_by = models.CharField(max_length=150, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["match", "user_id"], name="absence_once_per_match"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["tenant_id", "user_id", "-at"],
                name="absence_that_counts",
                condition=models.Q(lifted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.get_kind_display()}"

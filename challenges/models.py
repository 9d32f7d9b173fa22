"""The table of challenges. Matches and pools are named, not referred to: they are another app's."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from challenges.domain.colors import Preference
from challenges.domain.states import Status, View
from realtime.identifiers import new_id


class Challenge(models.Model):
    """One player asks another, or whoever takes it, for a game."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    challenger_id = models.CharField(max_length=64)
    challenger_name = models.CharField(max_length=64)
    opponent_id = models.CharField(
        max_length=64, null=True, blank=True, help_text="Of an open one: who has taken it."
    )
    opponent_name = models.CharField(max_length=64, null=True, blank=True)
    is_open = models.BooleanField(help_text="Whoever has the link may take it.")
    pool_key = models.CharField(max_length=64, null=True, blank=True)
    mode = models.CharField(max_length=64)
    time_control = models.CharField(max_length=64, default="", blank=True)
    rated = models.BooleanField()
    color_preference = models.CharField(
        max_length=8, choices=[(p.value, p.value) for p in Preference], help_text="The challenger's."
    )
    status = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in Status], default=Status.PENDING
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    match_id = models.UUIDField(
        null=True,
        blank=True,
        help_text="The match that came of it; while pending, one that is being verified.",
    )
    game_id = models.CharField(max_length=128, null=True, blank=True)
    rematch_of = models.UUIDField(null=True, blank=True, help_text="The match that is to be played again.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["rematch_of"], condition=Q(status="PENDING"), name="one_pending_rematch_per_match"
            ),
            models.CheckConstraint(
                condition=~Q(status="ACCEPTED") | Q(match_id__isnull=False, opponent_id__isnull=False),
                name="accepted_challenge_has_match",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["PENDING", "ACCEPTED"]) | Q(match_id=None),
                name="refused_challenge_has_no_match",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant_id", "challenger_id", "-id"], name="challenges_outgoing"),
            models.Index(fields=["tenant_id", "opponent_id", "-id"], name="challenges_incoming"),
            models.Index(fields=["expires_at"], name="challenge_expiry", condition=Q(status="PENDING")),
            models.Index(fields=["match_id"], name="challenge_of_match", condition=Q(match_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.challenger_name} asks {self.opponent_name or 'anybody'}"

    @property
    def view(self) -> View:
        """The challenge as the rules see it."""
        return View(
            status=Status(self.status),
            challenger_id=self.challenger_id,
            opponent_id=self.opponent_id,
            is_open=self.is_open,
            is_being_accepted=self.status == Status.PENDING and self.match_id is not None,
            expires_at=self.expires_at,
        )

"""Matches and their players, those that were rolled back too."""

from typing import ClassVar

from django.db import models

from matchmaking.domain.matches import Stage
from matchmaking.models.pools import Pool
from realtime.identifiers import new_id


class Match(models.Model):
    """Two or more players brought together, in two phases."""

    class Status(models.TextChoices):
        """Where the match is, as the API tells it."""

        PROPOSED = "PROPOSED"
        AWAITING_ACCEPTANCE = "AWAITING_ACCEPTANCE"
        CONFIRMED = "CONFIRMED"
        FINISHED = "FINISHED"
        CANCELLED = "CANCELLED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, null=True, related_name="matches")
    mode = models.CharField(max_length=64)
    time_control = models.CharField(max_length=64, default="", blank=True)
    rated = models.BooleanField()
    is_arranged = models.BooleanField(
        default=False, help_text="Made for players who had agreed on it, outside of the queue."
    )
    accept_seconds = models.FloatField(
        null=True, blank=True, help_text="Ready check: everybody accepts so soon after match_found."
    )
    fills = models.ForeignKey(
        "matchmaking.Backfill",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="attempts",
        help_text="Brings one player into a running match; this one is only the way there.",
    )
    metadata = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PROPOSED)
    stage = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in Stage], default=Stage.RESERVED
    )
    deadline = models.DateTimeField(help_text="Until when the players may answer.")
    lease_until = models.DateTimeField(help_text="A stage that no worker took up by then is rolled back.")
    retry_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When a step is taken again: pings, match_found, cancelling a game, asking who plays.",
    )
    quality = models.FloatField(
        null=True, blank=True, help_text="Expected score of the weaker side, doubled."
    )
    game_id = models.CharField(max_length=128, null=True, blank=True)
    session_id = models.UUIDField(null=True, blank=True)
    join_url = models.CharField(max_length=500, default="", blank=True)
    result = models.JSONField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=32, default="", blank=True)
    failed_stage = models.CharField(
        max_length=16, default="", blank=True, help_text="The stage in which it was rolled back."
    )
    game_cancel_due = models.BooleanField(
        default=False, help_text="A game may exist at the host and has to be cancelled there."
    )
    created_at = models.DateTimeField()
    pinged_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When all had answered, and a game was asked for."
    )
    told_at = models.DateTimeField(null=True, blank=True, help_text="When match_found was sent.")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    not_playing_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when the game host has said that nobody plays."
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    rating_report_due = models.DateTimeField(
        null=True, blank=True, help_text="When the result is next told to the rating service; empty: it is."
    )
    rating_reports = models.PositiveIntegerField(default=0, help_text="How often that has been tried.")

    class Meta:
        verbose_name_plural = "matches"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["pool", "created_at"],
                name="match_in_flight",
                condition=models.Q(status__in=["PROPOSED", "AWAITING_ACCEPTANCE"]),
            ),
            models.Index(
                fields=["id"], name="match_game_cancel_due", condition=models.Q(game_cancel_due=True)
            ),
            models.Index(
                fields=["rating_report_due"],
                name="match_rating_report_due",
                condition=models.Q(rating_report_due__isnull=False),
            ),
            models.Index(fields=["pool", "-confirmed_at"], name="match_by_pool_confirmed"),
            models.Index(fields=["confirmed_at"], name="match_on", condition=models.Q(status="CONFIRMED")),
        ]

    def __str__(self) -> str:
        return str(self.id)


class FailedAttempt(Match):
    """A match that was rolled back: what staff look through to learn why."""

    class Meta:
        proxy = True


class MatchPlayer(models.Model):
    """A player of a match, with the rating at the time of the match, and what was seen of its connection."""

    class Outcome(models.TextChoices):
        """What became of the player's ticket."""

        CONFIRMED = "confirmed"
        REPLACED = "replaced"
        REQUEUED = "requeued"
        REQUEUED_FLAGGED = "requeued_flagged", "requeued, unreachable until heard from"
        LEFT = "left"
        DECLINED = "declined"

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="players")
    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    display_name = models.CharField(max_length=64)
    rating = models.FloatField()
    color = models.CharField(max_length=8, null=True, blank=True)
    team = models.PositiveSmallIntegerField()
    ticket_id = models.UUIDField(
        null=True, help_text="The ticket that brought the player here; it may be purged."
    )
    is_live = models.BooleanField(default=True, help_text="The match has not ended.")
    nonce = models.CharField(max_length=64, help_text="What the health check's pong must repeat.")
    found_event_id = models.UUIDField(null=True, help_text="The match_found that the ack must name.")
    answered_at = models.DateTimeField(null=True, blank=True, help_text="When the ping was answered.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(
        null=True, blank=True, help_text="When the player said that it is ready, where that is asked."
    )
    heard_at = models.DateTimeField(
        null=True, blank=True, help_text="The last sign of life before the roll-back."
    )
    connections = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Open connections at the roll-back; empty: nobody could say."
    )
    is_cause = models.BooleanField(default=False, help_text="The match was rolled back because of them.")
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant_id", "user_id"],
                condition=models.Q(is_live=True),
                name="one_live_match_per_player",
            ),
            models.UniqueConstraint(fields=["match", "user_id"], name="player_once_per_match"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant_id", "user_id", "-match"], name="matches_of_player")
        ]

    def __str__(self) -> str:
        return self.user_id


class Backfill(models.Model):
    """A running match asks for somebody in the place of a player who is gone."""

    class Status(models.TextChoices):
        """Where it is."""

        SEARCHING = "SEARCHING"
        RESERVED = "RESERVED"
        FILLED = "FILLED"
        CANCELLED = "CANCELLED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="backfills")
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="backfills")
    user_id = models.CharField(max_length=64, help_text="Whose place it is.")
    replaced_by = models.CharField(max_length=64, default="", blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.SEARCHING)
    age_from = models.DateTimeField(help_text="Its place in the age order of those who wait.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["match", "user_id"],
                condition=models.Q(status__in=["SEARCHING", "RESERVED"]),
                name="one_open_backfill_per_place",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["pool", "age_from"],
                name="backfill_open",
                condition=models.Q(status__in=["SEARCHING", "RESERVED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.match_id}"


class RatingChange(models.Model):
    """What a match did to a player's rating, and what had been foreseen: once per match and player."""

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="rating_changes")
    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    pool = models.ForeignKey(
        Pool,
        on_delete=models.CASCADE,
        related_name="rating_changes",
        help_text="The pool whose rating it is.",
    )
    value_before = models.FloatField()
    value_after = models.FloatField()
    deviation_before = models.FloatField()
    deviation_after = models.FloatField()
    expected = models.FloatField(help_text="The share of opponents that should have been beaten.")
    score = models.FloatField(help_text="The share that was, a draw being half.")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["match", "user_id"], name="rating_change_once_per_match"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant_id", "user_id", "pool", "-id"], name="rating_changes_of_player"),
            models.Index(fields=["pool", "-at"], name="rating_changes_of_pool"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.value_before:.0f} → {self.value_after:.0f}"

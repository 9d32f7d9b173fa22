"""Tables of pools, tickets and matches, with the constraints that hold "one live ticket, one live match"."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from matchmaking.domain.matches import Stage
from matchmaking.domain.rules import PRESETS, WindowRule
from realtime.identifiers import new_id

_identifier = RegexValidator(r"^[A-Za-z0-9_.\-]+\Z", "Letters, digits, dot, dash and underscore only.")


class Pool(models.Model):
    """One queue with its rules, inside one tenant."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64, validators=[_identifier])
    key = models.CharField(max_length=64, validators=[_identifier], help_text="The name that clients use.")
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(
        default=True, help_text="Off: nobody can join; who waits already is still matched."
    )
    ordering = models.PositiveSmallIntegerField(
        default=0, help_text="The place in the list that players see."
    )
    mode = models.CharField(max_length=64, default="duel")
    time_control = models.CharField(max_length=64, default="", blank=True)
    rated = models.BooleanField(default=True)
    preset = models.CharField(
        max_length=32, default="classic", choices=[(name, name) for name in PRESETS] + [("custom", "custom")]
    )
    rule = models.CharField(
        max_length=8, default="both", choices=[(r, r) for r in ("both", "mean", "either")]
    )
    radius = models.FloatField(
        default=100, validators=[MinValueValidator(0)], help_text="Rating points at first."
    )
    growth_per_second = models.FloatField(default=2.5, validators=[MinValueValidator(0)])
    step_seconds = models.FloatField(
        default=10,
        validators=[MinValueValidator(0)],
        help_text="The window grows in steps this long; 0: steadily.",
    )
    cap = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="The widest window, in rating points; empty: no limit.",
    )

    class Meta:
        ordering: ClassVar = ["tenant_id", "ordering", "key"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "key"], name="pool_key_once_per_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.key}"

    @property
    def window_rule(self) -> WindowRule:
        """The pool's rating window; raises ValueError where the columns make no rule."""
        return WindowRule(
            preset=self.preset,
            rule=self.rule,  # type: ignore[arg-type]  # the choices are the rule's
            radius=self.radius,
            growth_per_second=self.growth_per_second,
            step_seconds=self.step_seconds,
            cap=self.cap,
        )

    def clean(self) -> None:
        """Refuse, in the admin, a rule that could not be run."""
        if self.preset in PRESETS:
            preset = PRESETS[self.preset]
            self.rule, self.radius, self.cap = preset.rule, preset.radius, preset.cap
            self.growth_per_second, self.step_seconds = preset.growth_per_second, preset.step_seconds
        try:
            _ = self.window_rule
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Rating(models.Model):
    """A player's rating in a pool; a player without a row has 1500."""

    tenant_id = models.CharField(max_length=64, validators=[_identifier])
    user_id = models.CharField(max_length=64, validators=[_identifier])
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="ratings")
    value = models.FloatField(default=1500)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "user_id"], name="rating_once_per_pool"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.value:.0f}"


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
        REQUEUED = "requeued"
        REQUEUED_FLAGGED = "requeued_flagged", "requeued, unreachable until heard from"
        LEFT = "left"

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


class Ticket(models.Model):
    """One player's place in a queue."""

    class Status(models.TextChoices):
        """Where the ticket is."""

        SEARCHING = "SEARCHING"
        RESERVED = "RESERVED"
        MATCHED = "MATCHED"
        CANCELLED = "CANCELLED"
        TIMED_OUT = "TIMED_OUT"

    class End(models.TextChoices):
        """Why a ticket ended without a match."""

        USER_REQUEST = "user_request"
        CONNECTION_TIMEOUT = "connection_timeout"
        TIMED_OUT = "timed_out"
        DECLINED = "declined"
        STAFF = "staff"

    LIVE = (Status.SEARCHING, Status.RESERVED)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    display_name = models.CharField(max_length=64)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="tickets")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.SEARCHING)
    queued_at = models.DateTimeField(help_text="Never changes: it is the place in the queue.")
    priority_seconds = models.PositiveSmallIntegerField(default=0, help_text="Head start in the age order.")
    age_from = models.DateTimeField(
        help_text="queued_at less the head start: the age order is this, then id."
    )
    rating = models.FloatField()
    regions = models.JSONField(default=list, blank=True)
    latencies = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    match = models.ForeignKey(Match, on_delete=models.SET_NULL, null=True, blank=True, related_name="tickets")
    cancel_reason = models.CharField(max_length=32, choices=End.choices, null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    unreachable_since = models.DateTimeField(
        null=True, blank=True, help_text="Not reserved before the player is heard from again."
    )
    failures = models.PositiveSmallIntegerField(default=0, help_text="Verifications failed in a row.")
    not_before = models.DateTimeField(null=True, blank=True, help_text="Sits out until then.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant_id", "user_id"],
                condition=models.Q(status__in=["SEARCHING", "RESERVED"]),
                name="one_live_ticket_per_player",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="RESERVED") | models.Q(match__isnull=False),
                name="reserved_ticket_has_match",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["pool", "age_from", "id"],
                name="ticket_live_by_age",
                condition=models.Q(status__in=["SEARCHING", "RESERVED"]),
            ),
            models.Index(fields=["tenant_id", "user_id", "-id"], name="tickets_of_player"),
            models.Index(
                fields=["pool", "-ended_at"],
                name="ticket_matched_by_end",
                condition=models.Q(status="MATCHED"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.pool_id}"

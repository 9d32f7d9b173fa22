"""Tickets, with the constraint that holds "one live ticket", and who of those who wait may not meet."""

from typing import ClassVar

from django.db import models

from matchmaking.models.matches import Match
from matchmaking.models.parties import Party
from matchmaking.models.pools import Pool
from realtime.identifiers import new_id


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
    latencies_ms = models.BinaryField(
        null=True, editable=False, help_text="What the core reads: an int16 for each slot of a region."
    )
    modes = models.PositiveSmallIntegerField(
        default=1, help_text="A bit for each of the pool's modes that the player would play."
    )
    max_gap = models.FloatField(
        null=True, blank=True, help_text="The player's own limit of the gap, whatever the pool's rule says."
    )
    estimated_wait = models.FloatField(
        null=True, blank=True, help_text="What was foreseen at the beginning, in seconds."
    )
    is_compared = models.BooleanField(
        default=False, help_text="Whom of the others who wait it may not meet is written down."
    )
    party = models.ForeignKey(
        Party,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tickets",
        help_text="Its members' tickets wait, meet and end together.",
    )
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
                fields=["party"],
                name="ticket_live_of_party",
                condition=models.Q(status__in=["SEARCHING", "RESERVED"], party__isnull=False),
            ),
            models.Index(
                fields=["pool"],
                name="ticket_to_compare",
                condition=models.Q(status__in=["SEARCHING", "RESERVED"], is_compared=False),
            ),
            models.Index(
                fields=["pool", "-ended_at"],
                name="ticket_matched_by_end",
                condition=models.Q(status="MATCHED"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.pool_id}"


class Conflict(models.Model):
    """Two waiting tickets of a pool that may not meet, or not yet; written once, when the later one came."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="+")
    one = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="+")
    is_block = models.BooleanField(help_text="For ever; else they have met lately.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["one", "other", "is_block"], name="conflict_once"),
        ]

    def __str__(self) -> str:
        return f"{self.one_id} and {self.other_id}"

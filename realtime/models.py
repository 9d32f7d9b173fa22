"""Tables of the durable events and of the game sessions."""

from typing import ClassVar

from django.db import models

from realtime.domain.participants import ConnectionState
from realtime.identifiers import new_id


class Stream(models.Model):
    """A numbered stream of durable events: one per user, one per game session.

    The row's lock, held to the end of a transaction, makes the numbers of a stream rise in commit order.
    """

    address = models.CharField(max_length=140, primary_key=True)
    seq = models.BigIntegerField(default=0)

    class Meta:
        db_table = "realtime_stream"

    def __str__(self) -> str:
        return self.address


class Event(models.Model):
    """A durable event, written in the transaction of the transition that it tells of, kept for 5 minutes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    address = models.CharField(max_length=140)
    seq = models.BigIntegerField()
    type = models.CharField(max_length=64)
    data = models.TextField(help_text="The event's data as JSON, as it goes over the wire.")
    origin = models.CharField(
        max_length=40, default="", help_text="The connection whose command this answers."
    )
    ref = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField()
    pushed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "realtime_event"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["address", "seq"], name="event_once_per_number"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="event_by_age"),
            models.Index(
                fields=["created_at"], name="event_unpushed", condition=models.Q(pushed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} {self.seq} {self.type}"


class GameSession(models.Model):
    """The live room that the players of a match are in."""

    class Phase(models.TextChoices):
        """Where the session is."""

        LOBBY = "lobby"
        FINISHED = "finished"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    match_id = models.UUIDField(null=True, unique=True, help_text="The match that led here, if any.")
    phase = models.CharField(max_length=16, choices=Phase.choices, default=Phase.LOBBY)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(
        null=True, blank=True, help_text="When the players were let in: at the confirmation of their match."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["created_at"], name="session_running", condition=models.Q(finished_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class Participant(models.Model):
    """One player in one game session, with the state of its connection."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    session = models.ForeignKey(GameSession, on_delete=models.CASCADE, related_name="participants")
    user_id = models.CharField(max_length=64)
    display_name = models.CharField(max_length=64)
    connection_state = models.CharField(
        max_length=32,
        choices=[(state.value, state.value) for state in ConnectionState],
        default=ConnectionState.TEMPORARILY_DISCONNECTED.value,
    )
    connection_id = models.CharField(
        max_length=40,
        default="",
        blank=True,
        help_text="The newest connection, as a fence: the late end of an older one changes nothing.",
    )
    came_at = models.DateTimeField(null=True, blank=True, help_text="When it was first there.")
    dropped_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    left_reason = models.CharField(max_length=16, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "user_id"], name="participant_once_per_session"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["dropped_at"],
                name="participant_in_grace",
                condition=models.Q(connection_state=ConnectionState.TEMPORARILY_DISCONNECTED.value),
            )
        ]

    def __str__(self) -> str:
        return self.display_name

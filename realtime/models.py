"""Tables of the durable events and of the game sessions."""

from typing import ClassVar

from django.db import models

from realtime.domain.participants import ConnectionState
from realtime.domain.quiz import Phase
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


class QuestionSet(models.Model):
    """Questions of a tenant, for its events and, where chosen, for its duels."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    key = models.SlugField(max_length=64)
    title = models.CharField(max_length=100)
    questions = models.JSONField(help_text="A list of {text, choices, answer, seconds?}.")
    is_for_duels = models.BooleanField(
        default=False,
        help_text="Duels of the tenant play with these, not with the ones that come along.",
    )

    class Meta:
        ordering: ClassVar = ["tenant_id", "title", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "key"], name="question_set_once_per_key"),
            models.UniqueConstraint(
                fields=["tenant_id"],
                name="question_set_for_duels_once",
                condition=models.Q(is_for_duels=True),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class GameSession(models.Model):
    """The live room that the players of a match are in, or the guests of an event."""

    class Kind(models.TextChoices):
        """What the session is for."""

        DUEL = "duel"
        EVENT = "event"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.DUEL)
    match_id = models.UUIDField(null=True, unique=True, help_text="The match that led here, if any.")
    host_id = models.CharField(
        max_length=64, default="", blank=True, help_text="The user who hosts an event."
    )
    title = models.CharField(max_length=100, default="", blank=True)
    join_code = models.CharField(max_length=16, null=True, unique=True)
    locked_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when nobody may join; empty: open."
    )
    phase = models.CharField(
        max_length=16, choices=[(phase.value, phase.value) for phase in Phase], default=Phase.LOBBY.value
    )
    questions = models.JSONField(default=list)
    question_number = models.PositiveSmallIntegerField(default=0, help_text="From 1; 0 before the first one.")
    phase_began_at = models.DateTimeField(null=True, blank=True)
    phase_ends_at = models.DateTimeField(
        null=True, blank=True, help_text="When the phase ends by itself; empty: somebody says so."
    )
    standing = models.JSONField(null=True, blank=True, help_text="Who stood where in the end.")
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
            ),
            models.Index(
                fields=["phase_ends_at"],
                name="session_phase_due",
                condition=models.Q(finished_at__isnull=True, phase_ends_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)


class Participant(models.Model):
    """One player or device in one game session, with the state of its connection."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    session = models.ForeignKey(GameSession, on_delete=models.CASCADE, related_name="participants")
    user_id = models.CharField(
        max_length=64, help_text="In an event, where nobody needs an account, its own id."
    )
    device_hash = models.CharField(max_length=64, null=True, blank=True, editable=False)
    display_name = models.CharField(max_length=64)
    name_key = models.CharField(
        max_length=256, null=True, editable=False, help_text="In an event: no two names that look the same."
    )
    score = models.PositiveIntegerField(default=0)
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
    last_heartbeat = models.DateTimeField(
        null=True, blank=True, help_text="Written at each change of the state and once per heartbeat period."
    )
    came_at = models.DateTimeField(null=True, blank=True, help_text="When it was first there.")
    dropped_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    left_reason = models.CharField(max_length=16, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "user_id"], name="participant_once_per_session"),
            models.UniqueConstraint(fields=["session", "device_hash"], name="participant_once_per_device"),
            models.UniqueConstraint(fields=["session", "name_key"], name="participant_name_once"),
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


class Answer(models.Model):
    """A participant's answer to a question; the first one counts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    session = models.ForeignKey(GameSession, on_delete=models.CASCADE, related_name="answers")
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="answers")
    question_id = models.CharField(max_length=64)
    choice = models.PositiveSmallIntegerField()
    is_correct = models.BooleanField()
    points = models.PositiveIntegerField()
    answered_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["answered_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["participant", "question_id"], name="answer_once_per_question"),
        ]
        indexes: ClassVar = [models.Index(fields=["session", "question_id"], name="answer_by_question")]

    def __str__(self) -> str:
        return f"{self.participant_id} {self.question_id} {self.choice}"

"""Staff's view of game sessions, of their participants' connections, and of question sets."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminFileFieldWidget

from realtime import selectors
from realtime.domain.errors import SessionFinished
from realtime.models import GameSession, Participant, QuestionSet
from realtime.protocol.errors import InvalidRequest
from realtime.services import participants, play, question_sets
from realtime.transport.database import database_now

SHOWN_PLACES = 10
_PHASE_COLORS = {"lobby": "info", "question": "success", "leaderboard": "success", "finished": "warning"}
_STATE_COLORS = {"connected": "success", "temporarily_disconnected": "warning", "disconnected": "danger"}


class ReadOnlyAdmin(ModelAdmin):
    """What the service writes is looked at here, and changed by services alone."""

    def has_add_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody changes rows by hand."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody deletes rows by hand."""
        return False


class ReadOnlyInline(TabularInline):
    """Rows that belong to one, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody adds rows by hand."""
        return False


class ParticipantsInline(ReadOnlyInline):
    """The participants of a session."""

    model = Participant
    fields: ClassVar = (
        "display_name",
        "user_id",
        "show_state",
        "show_heard",
        "score",
        "came_at",
        "dropped_at",
        "left_at",
        "left_reason",
    )
    readonly_fields = fields
    show_change_link = True
    # An inline lives for one request: all its rows are looked up in one go.
    _heard: dict[str, datetime] | None = None

    @display(description="State", label=_STATE_COLORS)
    def show_state(self, participant: Participant) -> str:
        """Show the connection's state in its colour."""
        return participant.connection_state

    @display(description="Last heartbeat")
    def show_heard(self, participant: Participant) -> str:
        """Show when the participant was last heard from: the live value, else the one that was kept."""
        if self._heard is None:
            self._heard = _heard(list(participant.session.participants.all()))
        return _ago(self._heard.get(str(participant.id), participant.last_heartbeat))


def _heard(of: list[Participant]) -> dict[str, datetime]:
    try:
        return participants.heard_live(of, now=database_now())
    except RedisError:
        return {}


def _ago(at: datetime | None) -> str:
    if at is None:
        return "-"
    return f"{at:%Y-%m-%d %H:%M:%S}, {max((database_now() - at).total_seconds(), 0):.0f} s ago"


@admin.register(GameSession)
class GameSessionAdmin(ReadOnlyAdmin):
    """Sessions, running and finished."""

    list_display = (
        "__str__",
        "kind",
        "tenant_id",
        "show_phase",
        "join_code",
        "match_id",
        "started_at",
        "finished_at",
    )
    list_filter = ("kind", "phase", "tenant_id")
    search_fields = (
        "=id",
        "=match_id",
        "=participants__user_id",
        "=join_code",
        "title__istartswith",
    )
    search_help_text = "An id of a session, match or user, a join code, or the beginning of a title."
    date_hierarchy = "created_at"
    show_full_result_count = False
    exclude = ("questions", "question_number", "standing")
    readonly_fields = ("show_question", "show_standing")
    inlines = (ParticipantsInline,)
    actions = ("finish_events",)

    @display(description="Phase", ordering="phase", label=_PHASE_COLORS)
    def show_phase(self, session: GameSession) -> str:
        """Show the phase in its colour."""
        return session.phase

    @display(description="Question")
    def show_question(self, session: GameSession) -> str:
        """Show how far the quiz has come."""
        questions, number = session.questions, session.question_number
        asked = f": {questions[number - 1]['text']}" if number else ""
        return f"{number} of {len(questions)}{asked}"

    @display(description="Standing")
    def show_standing(self, session: GameSession) -> str:
        """Show who stands where, the best ten."""
        rows = selectors.standing_parts(session)[:SHOWN_PLACES]
        lines = ((row.rank, row.display_name, row.score) for row in rows)
        return format_html_join("", "<div>{}. {}, {} points</div>", lines) or "-"

    def has_finish_permission(self, request: HttpRequest) -> bool:
        """Who may change sessions may finish them, which is the one change there is."""
        return bool(request.user.has_perm("realtime.change_gamesession"))

    @action(description="Finish these events", permissions=["finish"])
    def finish_events(self, request: HttpRequest, chosen: QuerySet[GameSession]) -> None:
        """End events as their hosts would; a duel ends with its match."""
        ended = 0
        for session in chosen.filter(kind=GameSession.Kind.EVENT, finished_at=None):
            try:
                play.end(session.id, now=database_now())
                ended += 1
            except SessionFinished:
                continue
        self.message_user(request, f"{ended} events finished.")


@admin.register(Participant)
class ParticipantAdmin(ReadOnlyAdmin):
    """Participants and their connections."""

    list_display = (
        "display_name",
        "session",
        "show_state",
        "score",
        "last_heartbeat",
        "dropped_at",
        "left_at",
    )
    list_filter = ("connection_state", "left_reason", "session__tenant_id", "session__kind")
    list_select_related = ("session",)
    search_fields = ("=id", "=user_id", "=session__id", "display_name__istartswith")
    search_help_text = "An id of a participant, user or session, or the beginning of a name."
    show_full_result_count = False
    exclude = ("device_hash", "name_key")
    readonly_fields = ("show_heard",)

    @display(description="State", ordering="connection_state", label=_STATE_COLORS)
    def show_state(self, participant: Participant) -> str:
        """Show the connection's state in its colour."""
        return participant.connection_state

    @display(description="Last heartbeat, live")
    def show_heard(self, participant: Participant) -> str:
        """Show when the participant was last heard from, by what its web process says."""
        return _ago(_heard([participant]).get(str(participant.id)))


class QuestionSetForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A question set, typed or uploaded."""

    upload = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="A JSON list of {text, choices, answer, seconds?}; it takes the place of what is typed.",
    )

    class Meta:
        model = QuestionSet
        fields = ("tenant_id", "key", "title", "is_for_duels", "upload", "questions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["questions"].required = False

    def clean(self) -> dict[str, Any]:
        """See to it that the questions make a set."""
        cleaned: dict[str, Any] = super().clean() or {}
        upload: UploadedFile[bytes] | None = cleaned.get("upload")
        field = "upload" if upload else "questions"
        if field in self.errors:
            return cleaned
        try:
            if upload:
                cleaned["questions"] = question_sets.from_json(upload.read())
            else:
                question_sets.checked(cleaned.get("questions") or [])
        except InvalidRequest as refusal:
            self.add_error(field, ValidationError(refusal.texts()))
        return cleaned


@admin.register(QuestionSet)
class QuestionSetAdmin(ModelAdmin):
    """Questions of a tenant, to host events and duels with."""

    form = QuestionSetForm
    list_display = ("title", "key", "tenant_id", "show_questions", "is_for_duels")
    list_filter = ("tenant_id", "is_for_duels")
    search_fields = ("title", "key")

    @display(description="Questions")
    def show_questions(self, question_set: QuestionSet) -> int:
        """Show how many there are."""
        return len(question_set.questions)

"""REST: game sessions, for their players, participants and hosts."""

from typing import Annotated

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import pictures, selectors
from realtime.authentication import SessionAuthentication, caller_of
from realtime.domain.errors import SessionNotFound
from realtime.domain.quiz import Phase
from realtime.identifiers import parse_id
from realtime.problems import body_of
from realtime.protocol.errors import Forbidden, InvalidRequest, Unauthorized
from realtime.protocol.parts import SessionState
from realtime.selectors import Seat
from realtime.services import hosting, participants, play
from realtime.transport.database import database_now


class NameBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another name."""

    display_name: Annotated[str, Meta(max_length=64)]


class NextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the host sees: the session goes on only where that is still so. Both, or neither."""

    phase: Phase | None = None
    number: Annotated[int, Meta(ge=0)] | None = None


class _View(APIView):
    """A route of one game session, for a user's token or a participant's."""

    authentication_classes = (SessionAuthentication,)

    def seat(self, request: Request, session_id: str) -> Seat:
        """Return what the caller is in a session; 404 where there is none, 403 where it is others'."""
        caller = caller_of(request)
        parsed = parse_id(session_id)
        if caller.session_id and caller.session_id != str(parsed):
            raise Unauthorized("This token is for another session")
        session = selectors.running_session(caller.tenant_id, parsed) if parsed else None
        if session is None:
            raise SessionNotFound
        seat = selectors.seat_of(session, caller)
        if seat is None:
            raise Forbidden("You are not in this session")
        return seat

    def host_seat(self, request: Request, session_id: str) -> Seat:
        """Return the host's seat; 403 for everybody else."""
        seat = self.seat(request, session_id)
        if seat.participant is not None:
            raise Forbidden("The host alone may do this")
        return seat

    def state(self, seat: Seat) -> SessionState:
        """Return the session as it is by now."""
        for row in filter(None, (seat.session, seat.participant)):
            row.refresh_from_db()
        return selectors.session_state(seat, now=database_now())


class SessionView(_View):
    """One game session."""

    def get(self, request: Request, session_id: str) -> Response:
        """Return the session as the caller may see it."""
        return Response(selectors.session_state(self.seat(request, session_id), now=database_now()))


class PictureView(_View):
    """The way into an event."""

    def get(self, request: Request, session_id: str) -> HttpResponse:
        """Return the link to join by as a QR picture."""
        session = self.seat(request, session_id).session
        if not session.join_code:
            raise SessionNotFound("Nobody joins this session by a link")
        picture = pictures.qr_svg(selectors.join_url(session.join_code))
        return HttpResponse(picture, content_type="image/svg+xml")


class LeaveView(_View):
    """Leave a game session."""

    def post(self, request: Request, session_id: str) -> Response:
        """Leave for good; leaving twice is leaving once."""
        seat = self.seat(request, session_id)
        if seat.participant is None:
            raise Forbidden("The host does not leave, but finishes the session")
        participants.leave(seat.session.id, seat.participant.user_id, now=database_now())
        return Response(self.state(seat))


class OwnParticipantView(_View):
    """Oneself in a game session."""

    def patch(self, request: Request, session_id: str) -> Response:
        """Take another name."""
        seat = self.seat(request, session_id)
        if seat.participant is None:
            raise Forbidden("The host has no name in the session")
        name = body_of(request, NameBody).display_name
        renamed = participants.rename(seat.session.id, seat.participant.user_id, name, now=database_now())
        return Response({"participant_id": str(renamed.id), "display_name": renamed.display_name})


class LockView(_View):
    """The lock before an event: ``is_locked`` is what the route does."""

    is_locked = True

    def post(self, request: Request, session_id: str) -> Response:
        """Lock joining, or open it again."""
        seat = self.host_seat(request, session_id)
        hosting.set_locked(seat.session, is_locked=self.is_locked, now=database_now())
        return Response(self.state(seat))


class NextView(_View):
    """The host's pace."""

    def post(self, request: Request, session_id: str) -> Response:
        """Open the next question, close the one that is open, or end after the last."""
        seat = self.host_seat(request, session_id)
        seen = body_of(request, NextBody)
        if (seen.phase is None) != (seen.number is None):
            raise InvalidRequest("Phase and number come together, or not at all", field="number")
        expected = None if seen.phase is None else (seen.phase, seen.number or 0)
        play.go_on(seat.session.id, seen=expected, now=database_now())
        return Response(self.state(seat))


class FinishView(_View):
    """The host's last word."""

    def post(self, request: Request, session_id: str) -> Response:
        """End the session."""
        seat = self.host_seat(request, session_id)
        play.end(seat.session.id, now=database_now())
        return Response(self.state(seat))

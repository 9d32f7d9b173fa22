"""REST: events, for those who host them and for those who join, who need no account."""

from typing import Annotated

import msgspec
from msgspec import Meta
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import pictures, selectors
from realtime.authentication import caller_of
from realtime.domain.joining import code_in
from realtime.domain.questions import Draft
from realtime.problems import body_of, raw_body_of
from realtime.protocol.errors import InvalidRequest
from realtime.protocol.parts import fields_set
from realtime.selectors import Seat
from realtime.services import hosting, question_sets
from realtime.services.hosting import Join
from realtime.transport.auth import clean_name
from realtime.transport.database import database_now

MAX_TITLE_LENGTH = 100


class EventBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event to host: its questions, or the key of a set; the set that comes along without either."""

    title: Annotated[str, Meta(max_length=MAX_TITLE_LENGTH)]
    questions: list[Draft] | None = None
    question_set: Annotated[str, Meta(max_length=64)] | None = None


class JoinBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wish to join; ``device_id`` is made at random and a secret of the device."""

    join_code: Annotated[str, Meta(max_length=64)]
    display_name: Annotated[str, Meta(max_length=64)]
    device_id: Annotated[str, Meta(min_length=16, max_length=64)]
    attempt: Annotated[str, Meta(max_length=512)] | None = None


class EventsView(APIView):
    """Hosting."""

    def post(self, request: Request) -> Response:
        """Make an event; its host is the caller."""
        host, wanted = caller_of(request), body_of(request, EventBody)
        title = clean_name(wanted.title, max_length=MAX_TITLE_LENGTH)
        if not title:
            raise InvalidRequest("A title needs at least one visible character", field="title")
        if wanted.questions is not None and wanted.question_set is not None:
            raise InvalidRequest("Either questions or a question set, not both", field="question_set")
        if wanted.questions is None:
            questions = question_sets.for_event(host.tenant_id, wanted.question_set)
        else:
            questions = question_sets.as_kept(question_sets.without_faults(wanted.questions))
        now = database_now()
        session = hosting.create_event(host, title=title, questions=questions, now=now)
        state = selectors.session_state(Seat(session, None), now=now)
        about = selectors.session_part(session)
        ids = {"session_id": about.session_id, "join_code": about.join_code, "join_url": about.join_url}
        return Response(ids | fields_set(state), status=201)


class QuestionSetsView(APIView):
    """What there is to play with."""

    def get(self, request: Request) -> Response:
        """Return the sets that the caller may host an event with."""
        sets = question_sets.listed(caller_of(request).tenant_id)
        return Response({"results": sets, "next": None})


class JoinPageView(APIView):
    """What somebody sees before joining."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, _request: Request, join_code: str) -> Response:
        """Return title, phase, lock, and a stamp of now."""
        return Response(hosting.join_page(join_code, now=database_now()))


class JoinView(APIView):
    """Joining."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Give a device a place: 201 a new one, 200 the one that it had."""
        wanted = body_of(request, JoinBody)
        wish = Join(
            code=wanted.join_code,
            display_name=wanted.display_name,
            device_id=wanted.device_id,
            attempt=wanted.attempt,
        )
        joined, is_new = hosting.join(wish, now=database_now())
        return Response(joined, status=201 if is_new else 200)


class ScanView(APIView):
    """A camera's picture, for browsers that cannot read a QR code themselves."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Return the join code in a JPEG picture, null where none is seen."""
        return Response({"join_code": code_in(pictures.texts_in_jpeg(raw_body_of(request)))})

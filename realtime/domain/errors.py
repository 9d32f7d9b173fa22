"""What is refused in game sessions."""

from collections.abc import Sequence

from realtime.protocol.errors import Conflict, InvalidRequest, NotFound


class SessionNotFound(NotFound):
    """There is no such session, or none that this caller may know of."""

    title = "There is no such session"


class SessionLocked(Conflict):
    """The host has locked joining, and this join was begun after that."""

    code = "session_locked"
    title = "The host does not let anybody join at the moment"


class SessionFinished(Conflict):
    """The session is over."""

    code = "session_finished"
    title = "The session is over"


class SessionFull(Conflict):
    """The session has as many participants as it can have."""

    code = "session_full"
    title = "There is no place left in this session"


class NameTaken(Conflict):
    """Somebody else in the session has this name, or one that looks the same."""

    code = "name_taken"
    title = "Somebody in this session has this name already"


class PhaseChanged(Conflict):
    """The session went on before the host's command came."""

    code = "phase_changed"
    title = "The session has gone on meanwhile"


class BadQuestions(InvalidRequest):
    """The questions do not make a set; ``errors`` says why, line by line."""

    title = "The questions are not valid"

    def __init__(self, faults: Sequence[str] = ()) -> None:
        super().__init__(errors={"questions": list(faults)})

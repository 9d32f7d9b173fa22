"""Settings, from the environment only. A wrong value stops the start with one clear line.

docs/configuration.md lists every variable; a test compares it with this file.
"""

import re
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from environs import Env, EnvError
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range, Regexp

from matchmaking_site.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()


def _stop(message: str) -> None:
    sys.exit(f"matchmaking: {message}")


def _seconds(name: str, default: float) -> float:
    """Read a duration in seconds; fractions are allowed, so that a test can run fast."""
    return env.float(name, default, validate=Range(min=0.05, max=10_000_000))


def _secret(name: str) -> str:
    value = env.str(name)
    if len(value.encode()) < 32:
        raise EnvError(f'Environment variable "{name}" needs 32 bytes or more')
    return value


def _url(name: str, *schemes: str) -> str:
    """Read a URL; what follows the scheme has to make sense, too."""
    url = env.str(name)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise EnvError(f'Environment variable "{name}" is not a valid URL') from None
    if parts.scheme not in schemes:
        raise EnvError(
            f'Environment variable "{name}" must begin with {", ".join(f"{s}://" for s in schemes)}'
        )
    return url


def _redis_url() -> str:
    url = _url("REDIS_URL", "redis", "rediss", "unix")
    path = urlsplit(url).path
    if url.startswith("unix://"):
        is_valid = path.startswith("/") and path != "/"
    else:
        is_valid = path.strip("/").isdigit() or not path.strip("/")
    if not is_valid:
        raise EnvError('Environment variable "REDIS_URL" is not a valid URL')
    return url


def _public_url() -> str:
    url = env.str("PUBLIC_URL", f"http://{HOST}:{PORT}").rstrip("/")
    if not re.fullmatch(r"https?://[^/\s]+", url):
        raise EnvError('Environment variable "PUBLIC_URL" is not like https://host[:port]')
    return url


def _service(name: str, default: str) -> str:
    """Read the base URL of a service of somebody else's, without a slash at its end, or ``builtin``."""
    url = env.str(name, default).rstrip("/")
    if url != "builtin" and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", url):
        raise EnvError(f'Environment variable "{name}" is neither "builtin" nor like https://host[:port]')
    return url


def _database() -> dict[str, object]:
    url = _url("DATABASE_URL", "postgresql", "postgres")
    pool_size = env.int("DATABASE_POOL_SIZE", 20, validate=Range(min=2, max=1000))
    parsed = dj_database_url.parse(url)
    options: dict[str, object] = {**(parsed.get("OPTIONS") or {})}
    options["pool"] = {"min_size": 2, "max_size": pool_size, "timeout": 10}
    # One transaction left open makes every claim on the queue slower, whatever VACUUM does.
    limits = "-c idle_in_transaction_session_timeout=30s -c statement_timeout=30s"
    options["options"] = f"{limits} {options.get('options', '')}".strip()
    return {**parsed, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


def _origins() -> list[str]:
    origins = env.list("ALLOWED_ORIGINS", [PUBLIC_URL])
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise EnvError(
                f'Environment variable "ALLOWED_ORIGINS": {origin!r} is not like https://host[:port]'
            )
    return origins


try:
    DEBUG = False
    HOST = env.str("HOST", "127.0.0.1")
    PORT = env.int("PORT", 8000, validate=Range(min=0, max=65535))
    DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", 20, validate=Range(min=2, max=1000))
    DATABASES = {"default": _database()}
    REDIS_URL = _redis_url()
    SECRET_KEY = _secret("SECRET_KEY")
    JWT_SIGNING_KEY = _secret("JWT_SIGNING_KEY")
    if SECRET_KEY == JWT_SIGNING_KEY:
        raise EnvError('Environment variables "SECRET_KEY" and "JWT_SIGNING_KEY" must not be equal')
    JWT_ISSUER = env.str("JWT_ISSUER", "matchmaking")
    if not JWT_ISSUER:
        raise EnvError('Environment variable "JWT_ISSUER" must not be empty')
    ACCESS_TOKEN_SECONDS = _seconds("ACCESS_TOKEN_SECONDS", 3600)
    REFRESH_TOKEN_SECONDS = _seconds("REFRESH_TOKEN_SECONDS", 14 * 24 * 3600)
    PUBLIC_URL = _public_url()
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
    ALLOWED_ORIGINS = _origins()
    GUEST_LOGIN = env.bool("GUEST_LOGIN", default=False)
    LOG_LEVEL = env.str("LOG_LEVEL", "INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
    LOG_FORMAT = env.str("LOG_FORMAT", "console", validate=OneOf(["console", "json"]))

    TICK_SECONDS = _seconds("TICK_SECONDS", 1)
    STALE_SWEEP_SECONDS = _seconds("STALE_SWEEP_SECONDS", 5)
    MAX_QUEUE_SECONDS = _seconds("MAX_QUEUE_SECONDS", 600)
    MAX_GAME_SECONDS = _seconds("MAX_GAME_SECONDS", 14_400)
    CHALLENGE_SECONDS = _seconds("CHALLENGE_SECONDS", 300)
    MATCH_PAIRS_PER_BATCH = env.int("MATCH_PAIRS_PER_BATCH", 50, validate=Range(min=1, max=10_000))
    HEARTBEAT_SECONDS = _seconds("HEARTBEAT_SECONDS", 15)
    MISSED_HEARTBEATS = env.int("MISSED_HEARTBEATS", 2, validate=Range(min=1, max=100))
    PONG_SECONDS = _seconds("PONG_SECONDS", 5)
    HEALTH_CHECK_SECONDS = _seconds("HEALTH_CHECK_SECONDS", 2)
    ACK_SECONDS = _seconds("ACK_SECONDS", 2)
    LEASE_SECONDS = _seconds("LEASE_SECONDS", 15)
    GRACE_SECONDS = _seconds("GRACE_SECONDS", 30)
    QUEUE_UPDATE_SECONDS = _seconds("QUEUE_UPDATE_SECONDS", 2)
    QUIZ_LOBBY_SECONDS = _seconds("QUIZ_LOBBY_SECONDS", 3)
    QUIZ_QUESTION_SECONDS = _seconds("QUIZ_QUESTION_SECONDS", 15)
    QUIZ_LEADERBOARD_SECONDS = _seconds("QUIZ_LEADERBOARD_SECONDS", 4)
    QUIZ_DUEL_QUESTIONS = env.int("QUIZ_DUEL_QUESTIONS", 5, validate=Range(min=1, max=100))
    GAME_HOST = _service("GAME_HOST", "builtin")
    GAME_HOST_TOKEN = env.str("GAME_HOST_TOKEN", "", validate=Regexp(r"[\x21-\x7e]*\Z"))
    GAME_HOST_TIMEOUT_SECONDS = _seconds("GAME_HOST_TIMEOUT_SECONDS", 5)
    RATING_SERVICE = _service("RATING_SERVICE", "builtin")
    RATING_SERVICE_TOKEN = env.str("RATING_SERVICE_TOKEN", "", validate=Regexp(r"[\x21-\x7e]*\Z"))
    RATING_SERVICE_TIMEOUT_SECONDS = _seconds("RATING_SERVICE_TIMEOUT_SECONDS", 2)
    RATING_CACHE_SECONDS = _seconds("RATING_CACHE_SECONDS", 60)
    BREAKER_FAILURES = env.int("BREAKER_FAILURES", 5, validate=Range(min=1, max=1000))
    EVENT_RETENTION_SECONDS = _seconds("EVENT_RETENTION_SECONDS", 300)
    SLOW_READER_SECONDS = _seconds("SLOW_READER_SECONDS", 10)
    FRAMES_PER_SECOND = env.int("FRAMES_PER_SECOND", 20, validate=Range(min=1, max=10_000))
    FRAMES_BURST = env.int("FRAMES_BURST", 40, validate=Range(min=1, max=10_000))
except (EnvError, ValidationError, ValueError) as error:
    _stop(str(error))

if PONG_SECONDS > HEARTBEAT_SECONDS:
    _stop('Environment variable "PONG_SECONDS" must not be more than "HEARTBEAT_SECONDS"')

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "realtime",
    "matchmaking",
    "challenges",
    "matchmaking_site.apps.SiteConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Innermost, since it is synchronous: those around it are so as well, and a request is handed to its
    # thread once, not to and fro for each of them.
    "whitenoise.middleware.WhiteNoiseMiddleware",
]

ROOT_URLCONF = "matchmaking_site.urls"
ASGI_APPLICATION = "matchmaking_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # redis-py's own socket time-out of 5 s would cut idle subscriptions, and its pool of 100
            # connections would refuse a burst of handshakes.
            "hosts": [{"address": REDIS_URL, "socket_timeout": None, "max_connections": 2000}],
            "prefix": "matchmaking",
        },
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["realtime.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["realtime.problems.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["realtime.problems.JSONParser"],
    "EXCEPTION_HANDLER": "realtime.problems.exception_handler",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "realtime.problems.OneFormat",
    "UNAUTHENTICATED_USER": None,
}

SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ISSUER": JWT_ISSUER,
    "USER_ID_CLAIM": "sub",
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ACCESS_TOKEN_SECONDS),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=REFRESH_TOKEN_SECONDS),
}

CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key"]
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS

# A body may be 64 KiB; the parser refuses more with 413, this is the second wall behind it.
DATA_UPLOAD_MAX_MEMORY_SIZE = 128 * 1024

_BEHIND_TLS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31_536_000 if _BEHIND_TLS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = _BEHIND_TLS
CSRF_COOKIE_SECURE = _BEHIND_TLS
X_FRAME_OPTIONS = "DENY"

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains and preloading are for the owner of the domain to decide
    "security.W008",  # the proxy that ends TLS redirects; here it would turn health checks away
    "security.W021",
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DATETIME_FORMAT = "Y-m-d H:i:s"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Static files are served from where they lie; a folder of collected ones is welcome and not needed.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
warnings.filterwarnings("ignore", "No directory at", UserWarning)

UNFOLD = {
    "SITE_TITLE": "Matchmaking",
    "SITE_HEADER": "Matchmaking",
    "SITE_SYMBOL": "swords",
    "SHOW_HISTORY": True,
}

LOGGING_CONFIG = None
logging_config(LOG_LEVEL, LOG_FORMAT)

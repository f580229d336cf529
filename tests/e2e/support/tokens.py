"""Tokens signed here, as the reference signs them, and in every wrong way."""

import time

import jwt

from support.external import JWT_SECRET

SECRET = JWT_SECRET or "marked-jwt-secret-0123456789abcdef-0123456789"
OTHER_SECRET = "another-secret-0123456789abcdef-0123456789"
HOUR = 3600


def claims(user_id, email: str = "someone@example.com", is_admin: bool = False,
           lifetime: int = HOUR) -> dict:
    return {"id": user_id, "email": email, "is_admin": is_admin,
            "exp": int(time.time()) + lifetime}


def sign(payload: dict, secret: str = SECRET, algorithm: str = "HS256",
         headers: dict | None = None) -> str:
    return jwt.encode(payload, secret, algorithm, headers)


def bearer(user_id: int, **options) -> str:
    """The whole Authorization header of a valid token."""
    return f"Bearer {sign(claims(user_id, **options))}"


def _without(payload: dict, name: str) -> dict:
    return {key: value for key, value in payload.items() if key != name}


def _altered(token: str) -> str:
    """The token with another user's claims under the old signature."""
    header, _, signature = token.split(".")
    return ".".join([header, sign(claims(1, is_admin=True)).split(".")[1], signature])


# What is wrong with a token → how to make it for the id of a user that exists, and the reason given
# after "Invalid authorization token, ", which is empty where the contract leaves the words open.
REFUSED = {
    "no segments": (lambda user: "garbage", "Not enough segments"),
    "two segments": (lambda user: "a.b", "Not enough segments"),
    "four segments": (lambda user: f"{sign(claims(user))}.x", ""),
    "empty segments": (lambda user: "..", ""),
    "header is no JSON": (lambda user: f"!!!{sign(claims(user))}", ""),
    "other secret": (lambda user: sign(claims(user), OTHER_SECRET),
                     "Signature verification failed"),
    "altered claims": (lambda user: _altered(sign(claims(user))), "Signature verification failed"),
    "no signature": (lambda user: sign(claims(user)).rsplit(".", 1)[0] + ".",
                     "Signature verification failed"),
    "expired": (lambda user: sign(claims(user, lifetime=-HOUR)), "Signature has expired"),
    "without exp": (lambda user: sign(_without(claims(user), "exp")), ""),
    "exp is a word": (lambda user: sign({**claims(user), "exp": "tomorrow"}), ""),
    "alg none": (lambda user: sign(claims(user), None, "none"), ""),
    "alg HS384": (lambda user: sign(claims(user), algorithm="HS384"), ""),
    "alg HS512": (lambda user: sign(claims(user), algorithm="HS512"), ""),
    "without id": (lambda user: sign(_without(claims(user), "id")), ""),
    "id is a string": (lambda user: sign({**claims(user), "id": str(user)}), ""),
    "id is a fraction": (lambda user: sign({**claims(user), "id": user + 0.5}), ""),
    "id is a boolean": (lambda user: sign({**claims(user), "id": True}), ""),
    "id is null": (lambda user: sign({**claims(user), "id": None}), ""),
    "id past int32": (lambda user: sign({**claims(user), "id": 2**31}), ""),
    "id wraps round to a user's": (lambda user: sign({**claims(user), "id": 2**32 + user}), ""),
}

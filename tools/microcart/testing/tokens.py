"""Tokens signed in the way of the reference, and in every wrong way."""

import base64
import hashlib
import hmac
import json
import time

import jwt

from microcart.testing.external import JWT_SECRET

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
    """Returns the whole Authorization header of a valid token."""
    return f"Bearer {sign(claims(user_id, **options))}"


def claims_of(header: str) -> dict:
    """Returns the claims of a valid token in an Authorization header."""
    return jwt.decode(header.split(" ")[1], SECRET, algorithms=["HS256"])


def _without(payload: dict, name: str) -> dict:
    return {key: value for key, value in payload.items() if key != name}


def _altered(token: str) -> str:
    """Returns the token with another user's claims under the old signature."""
    header, _, signature = token.split(".")
    return ".".join([header, sign(claims(1, is_admin=True)).split(".")[1], signature])


def _encode(part) -> str:
    """Encodes bytes, or the JSON of any other value, as base64url."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def forge(header, payload, secret: str = SECRET) -> str:
    """Returns a token with any header and payload (see _encode) and a valid HS256 signature."""
    text = f"{_encode(header)}.{_encode(payload)}"
    return f"{text}.{_encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


_HS256 = {"alg": "HS256", "typ": "JWT"}


def _headed(user: int, secret: str = SECRET, **header) -> str:
    """Returns a token that is valid except for its header."""
    return forge({**_HS256, **header}, claims(user), secret)


def _claiming(user: int, **changed) -> str:
    """Returns a token that is valid except for its claims."""
    return forge(_HS256, {**claims(user), **changed})


def _flipped(token: str, segment: int) -> str:
    """Returns the token with one bit flipped in the middle of a segment."""
    parts = token.split(".")
    content = bytearray(base64.urlsafe_b64decode(parts[segment] + "=="))
    content[len(content) // 2] ^= 1
    parts[segment] = _encode(bytes(content))
    return ".".join(parts)


def _valid(user: int) -> str:
    return sign(claims(user))


# The fault of a token → a function that makes it for the id of an existing user, and the reason
# after "Invalid authorization token, ", which is empty if the words are not fixed.
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
    "id is zero and a half": (lambda user: _claiming(user, id=0.5), ""),
    "id is a whole fraction": (lambda user: _claiming(user, id=float(user)), ""),
    "id is a list": (lambda user: _claiming(user, id=[user]), ""),
    "id is an object": (lambda user: _claiming(user, id={"id": user}), ""),
    "id below int32": (lambda user: _claiming(user, id=-2**31 - 1), ""),
    "id past int64": (lambda user: _claiming(user, id=2**64 + user), ""),
    "id is huge": (lambda user: _claiming(user, id=10**300), ""),
    "ver is a string": (lambda user: _claiming(user, ver="0"), ""),
    "ver is a boolean": (lambda user: _claiming(user, ver=False), ""),
    "ver wraps round": (lambda user: _claiming(user, ver=2**32), ""),
    "exp just past": (lambda user: _claiming(user, exp=int(time.time())), "Signature has expired"),
    "exp is negative": (lambda user: _claiming(user, exp=-1), "Signature has expired"),
    "exp is zero": (lambda user: _claiming(user, exp=0), "Signature has expired"),
    "exp is null": (lambda user: _claiming(user, exp=None), ""),
    "exp is true": (lambda user: _claiming(user, exp=True), ""),
    "exp is a fraction": (lambda user: _claiming(user, exp=time.time() + HOUR), ""),
    "exp is digits in a string": (lambda user: _claiming(user, exp="9999999999"), ""),
    "exp is huge": (lambda user: _claiming(user, exp=10**30), ""),
    "exp is infinite": (lambda user: forge(_HS256, b'{"id":%d,"exp":1e999}' % user), ""),
    "exp is a list": (lambda user: _claiming(user, exp=[int(time.time()) + HOUR]), ""),
    "nbf to come": (lambda user: _claiming(user, nbf=int(time.time()) + HOUR), ""),
    "iat to come": (lambda user: _claiming(user, iat=int(time.time()) + HOUR), ""),
    "aud of another": (lambda user: _claiming(user, aud="another"), ""),
    "payload is a list": (lambda user: forge(_HS256, [claims(user)]), ""),
    "payload is a string": (lambda user: forge(_HS256, "claims"), ""),
    "payload is a number": (lambda user: forge(_HS256, user), ""),
    "payload is null": (lambda user: forge(_HS256, None), ""),
    "payload is empty": (lambda user: forge(_HS256, b""), ""),
    "payload is no UTF-8": (lambda user: forge(_HS256, b'{"id":%d,"x":"\xff"}' % user), ""),
    "payload has a NUL": (lambda user: forge(_HS256, b'{"id":%d}\0' % user), ""),
    "payload is cut off": (lambda user: forge(_HS256, json.dumps(claims(user))[:-1].encode()), ""),
    "payload is deeply nested": (lambda user: forge(_HS256, b'{"id":' + b"[" * 3000), ""),
    "claims within claims": (lambda user: forge(_HS256, {"claims": claims(user)}), ""),
    "header is empty": (lambda user: forge(b"", claims(user)), ""),
    "header is a list": (lambda user: forge([_HS256], claims(user)), ""),
    "header is no object": (lambda user: forge("HS256", claims(user)), ""),
    "header without alg": (lambda user: forge({"typ": "JWT"}, claims(user)), ""),
    "alg is null": (lambda user: _headed(user, alg=None), ""),
    "alg is a list": (lambda user: _headed(user, alg=["HS256"]), ""),
    "alg in small letters": (lambda user: _headed(user, alg="hs256"), ""),
    "alg with a space": (lambda user: _headed(user, alg="HS256 "), ""),
    "alg twice": (
        lambda user: forge(b'{"alg":"HS256","alg":"none"}', claims(user)), ""),
    "alg None": (lambda user: f'{_encode({"alg": "None"})}.{_encode(claims(user))}.', ""),
    "alg nOnE, signed": (lambda user: _headed(user, alg="nOnE"), ""),
    "alg RS256, signed by the secret": (lambda user: _headed(user, alg="RS256"), ""),
    "alg ES256, signed by the secret": (lambda user: _headed(user, alg="ES256"), ""),
    "alg PS512, no signature": (
        lambda user: f'{_encode({"alg": "PS512"})}.{_encode(claims(user))}.', ""),
    "key of no bytes": (lambda user: _headed(user, ""), "Signature verification failed"),
    "kid is a file": (lambda user: _headed(user, "", kid="../../../../dev/null"),
                      "Signature verification failed"),
    "kid is SQL": (lambda user: _headed(user, "x", kid="' UNION SELECT 'x' --"),
                   "Signature verification failed"),
    "kid is a command": (lambda user: _headed(user, "", kid="|/bin/true"),
                         "Signature verification failed"),
    "jwk brings its own key": (
        lambda user: _headed(user, "own", jwk={"kty": "oct", "k": _encode(b"own")}),
        "Signature verification failed"),
    "jku names a key set": (
        lambda user: _headed(user, OTHER_SECRET, jku="http://127.0.0.1:1/keys.json"),
        "Signature verification failed"),
    "crit": (lambda user: _headed(user, crit=["exp"]), ""),
    "payload not encoded": (lambda user: _headed(user, b64=False, crit=["b64"]), ""),
    "bit flipped in the header": (lambda user: _flipped(_valid(user), 0), ""),
    "bit flipped in the claims": (lambda user: _flipped(_valid(user), 1),
                                  "Signature verification failed"),
    "bit flipped in the signature": (lambda user: _flipped(_valid(user), 2),
                                     "Signature verification failed"),
    "signature cut short": (lambda user: _valid(user)[:-4], ""),
    "signature goes on": (lambda user: _valid(user) + "AAAA", "Signature verification failed"),
    "signature of another token": (
        lambda user: ".".join([*_valid(user).split(".")[:2], _valid(user + 1).split(".")[2]]),
        "Signature verification failed"),
    "signature in hexadecimal": (
        lambda user: ".".join([*_valid(user).split(".")[:2], "0f" * 32]), ""),
    "padded": (lambda user: _valid(user) + "=", ""),
    "padded in the middle": (lambda user: _valid(user).replace(".", "==.", 1), ""),
    "percent-encoded dots": (lambda user: _valid(user).replace(".", "%2E"), "Not enough segments"),
    "in quotes": (lambda user: f'"{_valid(user)}"', ""),
    "two with a comma": (lambda user: f"{_valid(user)},{_valid(user)}", ""),
    "no base64": (lambda user: _valid(user).replace(".", ".*", 1), ""),
    "only dots": (lambda user: "." * 50, ""),
    "nested": (lambda user: forge({**_HS256, "cty": "JWT"}, _valid(user).encode()), ""),
    "JWE": (lambda user: ".".join([_encode({"alg": "dir", "enc": "A256GCM"}), "", *["AAAA"] * 3]),
            ""),
    "very long": (lambda user: _claiming(user, more="x" * 8000), ""),
}

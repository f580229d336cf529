"""Tables of request bodies and field values shared by both services' tests, a label per row."""

REQUIRED = "Missing data for required field."
UNKNOWN = "Unknown field."
NULL = "Field may not be null."
STRING = "Not a valid string."
BOOLEAN = "Not a valid boolean."
INTEGER = "Not a valid integer."
EMAIL = "Not a valid email address."
SHORT = "Shorter than minimum length 7."
LONG = "Longer than maximum length 1024."
LONG_SEARCH = "Longer than maximum length 256."
NAME = "Length must be between 1 and 256."
QUANTITY = "Must be greater than or equal to 1 and less than or equal to 5."
LIMIT = "Must be greater than or equal to 1 and less than or equal to 1000."
NEGATIVE = "Must be greater than or equal to 0."

NO_OBJECT = {"_schema": ["Invalid input type."]}
NO_JSON = {"json": ["Invalid JSON body."]}

# Bodies that match no endpoint: body → status, fields.
MALFORMED = {
    "array": (b"[]", 422, NO_OBJECT),
    "array of an object": (b'[{"email": "a@example.com"}]', 422, NO_OBJECT),
    "string": (b'"text"', 422, NO_OBJECT),
    "number": (b"1", 422, NO_OBJECT),
    "true": (b"true", 422, NO_OBJECT),
    "null": (b"null", 422, NO_OBJECT),
    "word": (b"hello", 400, NO_JSON),
    "form": (b"email=a@example.com&password=x", 400, NO_JSON),
    "cut off": (b'{"email": "a@exa', 400, NO_JSON),
    "trailing comma": (b'{"email": "a@example.com",}', 400, NO_JSON),
    "single quotes": (b"{'email': 'a@example.com'}", 400, NO_JSON),
    "comment": (b'{} // comment', 400, NO_JSON),
    "two values": (b"{}{}", 400, NO_JSON),
    "raw control character": (b'{"email": "a\nb"}', 400, NO_JSON),
    "broken UTF-8": (b'{"email": "\xff\xfe"}', 400, NO_JSON),
    "cut UTF-8": (b'{"email": "\xc3"}', 400, NO_JSON),
    "overlong UTF-8": (b'{"email": "\xc0\xaf"}', 400, NO_JSON),
    "UTF-8 surrogate": (b'{"email": "\xed\xa0\x80"}', 400, NO_JSON),
    "UTF-16": ('{"email": "a"}'.encode("utf-16"), 400, NO_JSON),
    "NUL bytes": (b"\0\0\0", 400, NO_JSON),
    "deep arrays": (b"[" * 10_000, 400, NO_JSON),
    "deep objects": (b'{"a":' * 10_000, 400, NO_JSON),
    "32 arrays": (b"[" * 32 + b"]" * 32, 422, NO_OBJECT),
    "33 arrays": (b"[" * 33 + b"]" * 33, 400, NO_JSON),
    "32 levels with objects": (b"[" + b'{"a":' * 31 + b"1" + b"}" * 31 + b"]", 422, NO_OBJECT),
    "33 objects": (b'{"a":' * 33 + b"1" + b"}" * 33, 400, NO_JSON),
}

# Values that are not strings, as JSON text.
NO_STRINGS = {"number": "1", "fraction": "1.5", "boolean": "true", "array": "[]", "object": "{}",
              "huge number": "1" * 400, "array of strings": '["a"]'}

# Values that are not integers, as JSON text.
NO_INTEGERS = {"string": '"1"', "fraction": "1.5", "whole fraction": "1.0", "true": "true",
               "false": "false", "array": "[1]", "object": "{}", "empty string": '""',
               "exponent": "1e400", "past int64": "9223372036854775808",
               "past uint64": "18446744073709551616", "huge": "1" * 400}

NO_BOOLEANS = {"word": '"maybe"', "empty string": '""', "two": "2", "minus one": "-1",
               "fraction": "0.5", "array": "[]", "object": "{}", "string two": '"2"',
               "huge number": "1" * 400}

TRUE_WORDS = ("true", "yes", "on", "t", "y", "1")
FALSE_WORDS = ("false", "no", "off", "f", "n", "0")

VALID_EMAILS = {
    "plain": "valid@example.com",
    "dots": "first.middle.last@example.com",
    "tag": "user+tag@example.co.uk",
    "symbols": "a!#$%&'*+/=?^_`{|}~-b@example.com",
    "apostrophe": "o'brien@example.com",
    "digits": "12345@example.com",
    "quoted": '"quoted"@example.com',
    "quoted with at": '"a@b"@example.com',
    "quoted with dots": '"a..b"@example.com',
    "one letter": "x@example.com",
    "localhost": "valid@localhost",
    "address": "valid@[127.0.0.1]",
    "inner hyphens": "valid@a-b.c-d-e.example.com",
    "digit labels": "valid@123.456.com",
    "short top level": "valid@example.io",
    "long top level": "valid@example.technology",
    "punycode label": "valid@xn--bcher-kva.example",
    "punycode top level": "valid@example.xn--p1ai",
    "unicode domain": "valid@müller.example",
    "unicode top level": "valid@почта.рф",
    "label of 63": f"valid@{'a' * 63}.com",
    "upper case": "VALID@EXAMPLE.ORG",
    # These are no addresses, but the reference registers them.
    "bare address with two digits at its end": "ops@192.168.1.10",
    "digits top level": "ops@example.123",
    "hyphens top level": "ops@example.a-b-",
    "symbol in the domain": "valid@☃.example",
}

INVALID_EMAILS = {
    "empty": "",
    "word": "plain",
    "no local part": "@example.com",
    "no domain": "a@",
    "one label": "a@example",
    "two ats": "a@@example.com",
    "at in local part": "a@b@example.com",
    "space": "a b@example.com",
    "leading space": " a@example.com",
    "trailing space": "a@example.com ",
    "trailing newline": "a@example.com\n",
    "leading dot": ".a@example.com",
    "trailing dot": "a.@example.com",
    "two dots": "a..b@example.com",
    "comma": "a,b@example.com",
    "parentheses": "a(b)@example.com",
    "half quoted": '"a@example.com',
    "inner quote": 'a"b@example.com',
    "leading hyphen": "a@-example.com",
    "trailing hyphen": "a@example-.com",
    "empty label": "a@example..com",
    "leading domain dot": "a@.example.com",
    "root dot": "a@example.com.",
    "one-letter top level": "a@example.c",
    "one-digit top level": "a@example.1",
    "underscore": "a@exa_mple.com",
    "label of 64": f"a@{'a' * 64}.com",
    "bare address": "a@127.0.0.1",
    "short address": "a@[127.0.0]",
    "address out of range": "a@[256.0.0.1]",
    "unclosed address": "a@[127.0.0.1",
    "domain with space": "a@exam ple.com",
    "slash": "a@example.com/x",
    "control": '"a\x01b"@example.com',
    "escaped control": '"a\\\x7fb"@example.com',
    "control beyond ASCII": "a\u0085b@example.com",
    "space beyond ASCII": "a\u2003b@example.com",
    "soft hyphen": "a\u00adb@example.com",
    "zero-width space": "a\u200bb@example.com",
    "zero-width joiner in the domain": "a@exa\u200dmple.com",
    "byte order mark": "\ufeffa@example.com",
    "filler": "a\u3164b@example.com",
    "variation selector": "a\ufe0fb@example.com",
    "tag": "a\U000e0061b@example.com",
    "right-to-left override": "a\u202eb@example.com",
    "left-to-right isolate": "a@\u2066bücher\u2069.example",
    "unassigned": "a\u0378b@example.com",
    "private": "a\ue000b@example.com",
}

# Two spellings of one email.
SPELLINGS = {
    "case": ("Spelling.1@example.com", "sPELLING.1@EXAMPLE.COM"),
    "NFC and NFD": ("spelling.zo\u00eb@example.com", "spelling.zoe\u0308@example.com"),
    "NFD and NFC in capitals": ("spelling.o\u0308@example.com", "SPELLING.\u00d6@example.com"),
    "wide characters": ("spelling.\uff4e@example.com", "spelling.n@example.com"),
    "quotes": ('"spelling.2"@example.com', "spelling.2@example.com"),
    "no quotes": ("spelling.3@example.com", '"spelling.3"@example.com'),
    "quoted pairs": ('"spelling\\.4"@example.com', "spelling.4@example.com"),
    "punycode": ("spelling@b\u00fccher.example", "spelling@xn--bcher-kva.example"),
    "unicode": ("spelling@xn--e1afmkfd.example", "spelling@пример.example"),
    "domain in NFD": ("spelling@xn--mnchen-3ya.example", "spelling@mu\u0308nchen.example"),
    "domain in capitals": ("spelling@M\u00dcNSTER.example", "spelling@xn--mnster-3ya.example"),
    "all at once": ('"spelling.Zoe\u0308"@BU\u0308CHER.example',
                    "Spelling.ZO\u00cb@XN--BCHER-KVA.example"),
}

# Query strings of a list → the fields of their 422.
BAD_PAGING = {
    "limit zero": ("limit=0", {"limit": [LIMIT]}),
    "limit negative": ("limit=-1", {"limit": [LIMIT]}),
    "limit past maximum": ("limit=1001", {"limit": [LIMIT]}),
    "limit word": ("limit=all", {"limit": [INTEGER]}),
    "limit fraction": ("limit=1.5", {"limit": [INTEGER]}),
    "limit empty": ("limit=", {"limit": [INTEGER]}),
    "limit hexadecimal": ("limit=0x10", {"limit": [INTEGER]}),
    "limit with space": ("limit=1%20", {"limit": [INTEGER]}),
    "after negative": ("after=-1", {"after": [NEGATIVE]}),
    "after word": ("after=last", {"after": [INTEGER]}),
    "after fraction": ("after=1.0", {"after": [INTEGER]}),
    "after empty": ("after=", {"after": [INTEGER]}),
    "after past int32": ("after=2147483648", {"after": [INTEGER]}),
    "after huge": (f"after={'9' * 40}", {"after": [INTEGER]}),
    "both": ("limit=x&after=y", {"limit": [INTEGER], "after": [INTEGER]}),
    "search with NUL": ("search=%00", {"search": [STRING]}),
    "search with an inner NUL": ("search=a%00b", {"search": [STRING]}),
    "search in broken UTF-8": ("search=%FF", {"search": [STRING]}),
    "search in cut UTF-8": ("search=%C3", {"search": [STRING]}),
    "search too long": (f"search={'a' * 257}", {"search": [LONG_SEARCH]}),
    "search too long in characters": (f"search={'%C3%A9' * 257}", {"search": [LONG_SEARCH]}),
}

"""Indicators: every type in its one spelling, and spellings that must be refused."""

from collections.abc import Iterator
from typing import Any, Final

from tests.support.vectors.keys import base64url

HEX: Final = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32, "file-sha256": 32, "weights-sha256": 32}
TOKENS: Final = ("email", "phone", "handle", "device", "payment")
FAMILIES: Final = {
    **dict.fromkeys(("md5", "sha1", "sha256", "pdq", "photodna"), "media"),
    **dict.fromkeys(("file-sha256", "weights-sha256"), "artefact"),
    **dict.fromkeys(TOKENS, "account"),
}
ZERO_TOKEN: Final = "a" * 52
TOKEN: Final = "ae" * 25 + "iq"


def _accepted() -> Iterator[tuple[str, str]]:
    """(indicator, its canonical bytes in hexadecimal)."""
    for kind, length in HEX.items():
        for raw in (bytes(length), bytes(range(200, 200 + length)), b"\xff" * length):
            yield f"{kind}:{raw.hex()}", raw.hex()
    for raw in (bytes(144), bytes(range(112, 256)), b"\xfb\xff" * 72):
        yield f"photodna:{base64url(raw)}", raw.hex()
    for kind in TOKENS:
        yield f"{kind}:v1.0.{ZERO_TOKEN}", "01" + "00000000" + "00" * 32
        yield f"{kind}:v1.7.{'7' * 51}q", "01" + "00000007" + "ff" * 32
        yield f"{kind}:v1.999999999.{ZERO_TOKEN}", "01" + "3b9ac9ff" + "00" * 32


def _refused() -> list[tuple[str, str]]:
    """(what is no indicator, why)."""
    found = []
    for kind, length in HEX.items():
        good = bytes(range(200, 200 + length)).hex()
        found += [
            (f"{kind}:{good.upper()}", "upper case"),
            (f"{kind}:{good[:-1]}", "a digit short"),
            (f"{kind}:{good}0", "a digit long"),
            (f"{kind}:{good[:-2]}", "a byte short"),
            (f"{kind}:{good}00", "a byte long"),
            (f"{kind}:{good[:-1]}g", "not a hexadecimal digit"),
            (f"{kind}: {good[1:]}", "white space inside the length"),
            (f"{kind}:{good[:2]} {good[3:]}", "white space between bytes"),
            (f"{kind}:{good}\n", "a line feed behind"),
            (f"{kind}:0x{good[2:]}", "a prefix"),
            (f"{kind}:{good[:-1]}\u0663", "a digit of another script"),
            (f"{kind}:", "nothing"),
        ]
    photo = base64url(bytes(range(112, 256)))
    found += [
        ("photodna:" + photo.replace("-", "+").replace("_", "/"), "the standard alphabet"),
        ("photodna:" + photo[:-4], "141 bytes"),
        ("photodna:" + photo + "AAAA", "147 bytes"),
        ("photodna:" + photo[:-1] + "=", "padding"),
        ("photodna:" + photo[:-1] + "\n", "white space"),
        ("photodna:" + photo[:-1] + "\u00e9", "not ASCII"),
        ("photodna:" + bytes(144).hex(), "hexadecimal"),
    ]
    for kind in TOKENS:
        found += [
            (f"{kind}:v1.7.{TOKEN.upper()}", "upper case"),
            (f"{kind}:v1.7.{TOKEN}====", "padding"),
            (f"{kind}:v1.7.{TOKEN[:-1]}r", "stray bits"),
            (f"{kind}:v1.7.{TOKEN[:-1]}", "a character short"),
            (f"{kind}:v1.7.{TOKEN}a", "a character long"),
            (f"{kind}:v1.7.{TOKEN[:-1]}1", "not in the alphabet"),
            (f"{kind}:v1.07.{TOKEN}", "an epoch with a leading zero"),
            (f"{kind}:v1.1000000000.{TOKEN}", "an epoch of ten digits"),
            (f"{kind}:v1.-1.{TOKEN}", "a negative epoch"),
            (f"{kind}:v1.\u0667.{TOKEN}", "a digit of another script"),
            (f"{kind}:v1..{TOKEN}", "no epoch"),
            (f"{kind}:v2.7.{TOKEN}", "another version"),
            (f"{kind}:v1.7.{TOKEN}\n", "a line feed behind"),
            (f"{kind}:v1.7.{TOKEN} ", "a space behind"),
        ]
    found += [
        ("email:someone@site.example", "an address in clear"),
        ("phone:+14155550100", "a number in clear"),
        ("md5:" + "0" * 253, "257 characters"),
    ]
    return found


def _unknown() -> list[tuple[str, str]]:
    return [
        ("", "empty"),
        (":", "no type"),
        ("0" * 32, "no colon"),
        ("MD5:" + "0" * 32, "type in upper case"),
        (" md5:" + "0" * 32, "white space before"),
        ("md5 :" + "0" * 32, "white space in the type"),
        ("md5;" + "0" * 32, "another separator"),
        ("sha512:" + "0" * 128, "a type that is not carried"),
        ("url:https://site.example/", "an address"),
        ("embedding:0.1,0.2", "can be inverted"),
        ("statement:" + "0" * 64, "the subject of a retraction is no indicator"),
        ("someone@site.example", "an address in clear"),
    ]


def document() -> dict[str, Any]:
    return {
        "says": "`type:value` strings. `value_hex` is what the value stands for; an token's is version (1 byte),"
        " key epoch (4 bytes, big-endian), token (32 bytes). A refused one comes back with `code`.",
        "accepted": [
            {
                "indicator": text,
                "type": text.partition(":")[0],
                "family": FAMILIES[text.partition(":")[0]],
                "value_hex": value,
            }
            for text, value in _accepted()
        ],
        "refused": [
            {"indicator": text, "code": code, "why": why}
            for code, made in (("indicator-invalid", _refused()), ("indicator-type-unknown", _unknown()))
            for text, why in made
        ],
    }

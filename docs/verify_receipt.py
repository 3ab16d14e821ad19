#!/usr/bin/env python3
"""Verifies the receipt of a check, with nothing of Kyodaku: Python's standard library and `cryptography`.

    python3 verify_receipt.py RECEIPT --log KEY --log KEY [--answer ANSWER]

RECEIPT is the JSON of `GET /v1/checks/{check}/receipt`, KEY a key of the act log or of a journal as `GET /logs` tells it
(`name+id+base64`), taken once from somebody you trust; ANSWER the answer of `POST /v1/checks` as it came. It says what it
has verified and ends with 0, or says what does not hold and ends with 65. `docs/log.md` describes what is verified here.
"""

import argparse
import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """Something does not hold."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    return sha256(b"\0", entry.encode())


def node(left, right):
    return sha256(b"\1", left, right)


def no_name_twice(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "an object has two members of one name")
    return members


def read(text):
    return json.loads(text, object_pairs_hook=no_name_twice)


def canonical(value):
    """RFC 8785, for what stands in answers: no fractions, names in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def shown(text):
    """A text of somebody else, safe to show on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def members(value, needed, optional=()):
    """An object with these members and no others."""
    need(type(value) is dict and set(needed) <= set(value) <= set(needed) | set(optional), f"not of the form {needed}")
    return value


def number(value):
    need(type(value) is int and 0 <= value <= 2**53, "a number is none")
    return value


def of_hex(text):
    need(type(text) is str and len(text) == 64 and set(text) <= set("0123456789abcdef"), "a hash is not 64 hexadecimal digits")
    return bytes.fromhex(text)


def hashes(texts):
    need(type(texts) is list, "a proof is no list")
    return [of_hex(text) for text in texts]


def in_order(entries):
    need(type(entries) is list, "not a list")
    places = [number(entry["index"]) for entry in entries]
    need(all(one < after for one, after in zip(places, places[1:])), "entries or items are not in order, each once")
    return entries


def key(text):
    """A verifier key of C2SP signed-note: name, id, and the Ed25519 key."""
    name, ident, data = text.split("+", 2)
    data = base64.b64decode(data, validate=True)
    need(data[:1] == b"\1" and len(data) == 33, f"`{text}` is not an Ed25519 key of a log")
    need(sha256(name.encode(), b"\n", data)[:4].hex() == ident, f"the key `{text}` was altered")
    return name, bytes.fromhex(ident), Ed25519PublicKey.from_public_bytes(data[1:])


def checkpoint(note, origin, keys, what):
    """The size and root of a C2SP tlog-checkpoint, once a key of this origin has signed it."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    signed = False
    for line in lines.splitlines():
        dash, name, data = line.split(" ")
        data = base64.b64decode(data, validate=True)
        for of, ident, public in keys:
            if dash == "\u2014" and (name, data[:4]) == (of, ident) and of == origin:
                try:
                    public.verify(data[4:], text.encode())
                except InvalidSignature:
                    raise Wrong(f"{what}: the signature does not verify")
                signed = True
    need(signed, f"{what}: no key that was given for `{origin}` signed it")
    first, size, root = text.split("\n")[:3]
    need(first == origin, f"{what}: it is a checkpoint of `{first}`")
    return int(size), base64.b64decode(root, validate=True)


def included(tree, index, hashed, proof, what):
    """RFC 9162, 2.1.3.2."""
    size, root = tree
    need(0 <= index < size, f"{what}: there is no entry {index} among {size}")
    fn, sn, r = index, size - 1, hashed
    for p in hashes(proof):
        need(sn != 0, f"{what}: the proof is too long")
        if fn & 1 or fn == sn:
            r = node(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and r == root, f"{what}: the proof does not lead to the root")


def continues(old, new, proof, what):
    """RFC 9162, 2.1.4.2."""
    (first, first_root), (second, second_root), path = old, new, hashes(proof)
    need(0 < first <= second, f"{what}: {second} entries can't continue {first}")
    if first == second:
        need(not path and first_root == second_root, f"{what}: two roots of one size")
        return
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    need(path, f"{what}: the proof is empty")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn != 0, f"{what}: the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and fr == first_root and sr == second_root, f"{what}: the one does not continue the other")


def tree(digests):
    """The root of the RFC 9162 tree over these, each a leaf."""
    if not digests:
        return sha256()
    level = [sha256(b"\0", digest) for digest in digests]
    while len(level) > 1:
        pairs = [node(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


RECORDED = ("origin", "index", "entry", "proof", "checkpoint")


def verify(receipt, keys, answer):
    members(receipt, ("v", "check", "journal", "acts", "basis"), ("sealed", "items"))
    need(type(receipt["v"]) is int and receipt["v"] == 1, "it is a receipt of a version that this program does not read")
    journal = members(receipt["journal"], RECORDED)
    window = checkpoint(journal["checkpoint"], journal["origin"], keys, "the journal")
    hashed = leaf(journal["entry"])
    included(window, number(journal["index"]), hashed, journal["proof"], "the journal entry")
    entry = read(journal["entry"])
    need(entry["type"] == "check" and entry["check"] == receipt["check"], "the journal entry is of another check")
    need(number(entry["permitted"]) <= number(entry["items"]), "more items are permitted than there are")
    origin, checks, _ = journal["origin"].rpartition("/checks/")
    need(checks, "the journal is not one of an act log")
    log = (number(entry["log_size"]), of_hex(entry["log_root"]))
    need(checkpoint(receipt["acts"], origin, keys, "the act log") == log, "it was answered from another act log")
    sealed = receipt.get("sealed")
    if sealed is not None:
        members(sealed, ("act", "proof", "continues", "extends"))
        act = members(sealed["act"], RECORDED)
        need(act["origin"] == origin and number(act["index"]) >= log[0], "the seal is not one that came after the answer")
        later = checkpoint(act["checkpoint"], origin, keys, "the seal")
        included(later, act["index"], leaf(act["entry"]), act["proof"], "the seal")
        seal = read(act["entry"])["act"]
        need((seal["type"], seal["journal"]) == ("journal.sealed", journal["origin"]), "it seals another journal")
        whole = (number(seal["size"]), of_hex(seal["root"]))
        included(whole, journal["index"], hashed, sealed["proof"], "the journal entry in what was sealed")
        continues(window, whole, sealed["continues"], "what was sealed")
        continues(log, later, sealed["extends"], "the act log with the seal")
    for basis in in_order(receipt["basis"]):
        members(basis, ("index", "leaf", "proof"), ("entry",))
        what, text = f"entry {basis['index']} of the act log", basis.get("entry")
        need(text is None or leaf(text) == of_hex(basis["leaf"]), f"{what}: another leaf hash")
        included(log, basis["index"], of_hex(basis["leaf"]), basis["proof"], what)
    items, salt = (entry["items"], of_hex(entry["items_root"])), bytes.fromhex(entry["salt"])
    for item in in_order(receipt.get("items", [])):
        members(item, ("index", "item", "path"))
        text, what = item["item"].encode(), f"item {item['index']}"
        need(canonical(read(item["item"])) == text, f"{what}: it is not canonical JSON")
        included(items, item["index"], sha256(b"\0", sha256(salt, text)), item["path"], what)
    if answer is not None:
        for name in ("check", "developer", "log_size", "permitted"):
            need(answer[name] == entry[name], f"the answer has another `{name}`")
        digests = [sha256(salt, canonical(item)) for item in answer["items"]]
        need((len(digests), tree(digests)) == items, "the answer is not the one that is bound")
        permitted = sum(item["verdict"] == "permitted" for item in answer["items"])
        need(permitted == entry["permitted"], "other items are permitted than were counted")
    return entry, sealed


def main():
    parser = argparse.ArgumentParser(description="Verify the receipt of a check.")
    parser.add_argument("receipt")
    parser.add_argument("--log", action="append", required=True, metavar="KEY")
    parser.add_argument("--answer")
    args = parser.parse_args()
    try:
        with open(args.receipt, encoding="utf-8") as file:
            receipt = read(file.read())
        answer = None
        if args.answer:
            with open(args.answer, encoding="utf-8") as file:
                answer = read(file.read())
        entry, sealed = verify(receipt, [key(text) for text in args.log], answer)
    except (Wrong, ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError) as error:
        print(f"does not hold: {shown(str(error))}")
        return 65
    when = "not sealed yet" if sealed is None else f"sealed by entry {sealed['act']['index']}"
    counted = f"{entry['permitted']} of {entry['items']} items permitted"
    print(f"holds: {shown(entry['check'])} of {shown(entry['developer'])}, {counted}, {when}")
    for item in receipt.get("items", []):
        print(f"item {item['index']}: {shown(item['item'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

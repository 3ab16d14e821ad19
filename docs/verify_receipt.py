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


def hashes(texts):
    found = [bytes.fromhex(text) for text in texts]
    need(all(len(it) == 32 for it in found), "a hash does not have 32 bytes")
    return found


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


def verify(receipt, keys, answer):
    need(receipt["v"] == 1, "it is a receipt of a version that this program does not read")
    journal = receipt["journal"]
    window = checkpoint(journal["checkpoint"], journal["origin"], keys, "the journal")
    hashed = leaf(journal["entry"])
    included(window, journal["index"], hashed, journal["proof"], "the journal entry")
    entry = read(journal["entry"])
    need(entry["type"] == "check" and entry["check"] == receipt["check"], "the journal entry is of another check")
    origin, checks, _ = journal["origin"].rpartition("/checks/")
    need(checks, "the journal is not one of an act log")
    log = (entry["log_size"], bytes.fromhex(entry["log_root"]))
    need(checkpoint(receipt["acts"], origin, keys, "the act log") == log, "it was answered from another act log")
    sealed = receipt.get("sealed")
    if sealed:
        act = sealed["act"]
        need(act["origin"] == origin and act["index"] >= log[0], "the seal is not one that came after the answer")
        later = checkpoint(act["checkpoint"], origin, keys, "the seal")
        included(later, act["index"], leaf(act["entry"]), act["proof"], "the seal")
        seal = read(act["entry"])["act"]
        need((seal["type"], seal["journal"]) == ("journal.sealed", journal["origin"]), "it seals another journal")
        whole = (seal["size"], bytes.fromhex(seal["root"]))
        included(whole, journal["index"], hashed, sealed["proof"], "the journal entry in what was sealed")
        continues(window, whole, sealed["continues"], "what was sealed")
        continues(log, later, sealed["extends"], "the act log with the seal")
    for basis in receipt["basis"]:
        what = f"entry {basis['index']} of the act log"
        need("entry" not in basis or leaf(basis["entry"]).hex() == basis["leaf"], f"{what}: another leaf hash")
        included(log, basis["index"], bytes.fromhex(basis["leaf"]), basis["proof"], what)
    items, salt = (entry["items"], bytes.fromhex(entry["items_root"])), bytes.fromhex(entry["salt"])
    for shown in receipt.get("items", []):
        digest = sha256(salt, shown["item"].encode())
        included(items, shown["index"], sha256(b"\0", digest), shown["path"], f"item {shown['index']}")
    if answer is not None:
        need(answer["check"] == receipt["check"], "the answer is one to another check")
        digests = [sha256(salt, canonical(item)) for item in answer["items"]]
        need((len(digests), tree(digests)) == items, "the answer is not the one that is bound")
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
    except (Wrong, ValueError, KeyError, TypeError) as error:
        print(f"does not hold: {error}")
        return 65
    when = "not sealed yet" if not sealed else f"sealed by entry {sealed['act']['index']}"
    print(f"holds: {entry['check']} of {entry['developer']}, {entry['permitted']} of {entry['items']} items permitted, {when}")
    for shown in receipt.get("items", []):
        print(f"item {shown['index']}: {shown['item']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
